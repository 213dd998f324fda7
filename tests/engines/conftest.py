import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Bits are promised for a thread count; the library trains with torch's own threading off."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
