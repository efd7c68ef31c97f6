"""Models that propose captions: toy (numpy), starter (offline), vlm (vision-language models), openai (an endpoint)."""
