"""What others use today, asked the same questions: llama.cpp's server, driven as editors drive it."""
