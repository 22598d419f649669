"""The HTTP server: OpenAI's protocol outside, pipeline and engine inside. Each endpoint converts and dispatches."""
