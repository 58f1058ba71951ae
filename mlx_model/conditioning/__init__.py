"""What stands around the networks: region, LCU++ canvas, controls, prompts, pasting back."""
