"""Who proposes candidate texts: toy (numpy), starter (offline decoder), retrieval (a bank of sentences),
vlm (vision-language models), openai (an endpoint the user names). Built by factories in the model registry."""
