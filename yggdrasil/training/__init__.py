"""Training, on every level. torch and accelerate are loaded on first use."""
