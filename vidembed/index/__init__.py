"""`VideoIndex`: everything a person touches is one object."""
