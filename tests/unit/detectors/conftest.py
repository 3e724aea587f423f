"""One thread: these runs are small, and several may share the machine."""

import torch

torch.set_num_threads(1)
