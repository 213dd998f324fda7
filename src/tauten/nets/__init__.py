"""Networks that a population can train: the residual MLP and convnet, and any `nn.Module` of the user's."""
