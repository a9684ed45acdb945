"""The API of Google's Gemini: requests, answers, files, models and embeddings of this dialect."""
