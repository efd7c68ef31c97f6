"""Cutting videos into clips while their frames stream by."""
