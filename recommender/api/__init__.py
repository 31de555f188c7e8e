"""The REST API: FastAPI over an in-memory view. The only package that imports fastapi."""
