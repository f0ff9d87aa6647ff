"""From a pretrained encoder in a Hugging Face folder to a checkpoint that can be trained and exported."""
