"""From text to token files: corpora, downloads, tokenizer, encoding."""
