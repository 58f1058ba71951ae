"""The models on this machine: what there is to install, how it gets here, and where it lies.

``catalogue`` says what can be installed and under which licence, ``hub`` and ``download`` bring bytes here,
``tensor_files`` reads tensors out of files near and far, ``folders`` knows what is installed. None of them loads MLX.
"""
