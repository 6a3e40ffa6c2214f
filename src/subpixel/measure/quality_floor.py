"""What a faster or smaller way to run a network must keep of its pictures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """The least that may be left."""

    psnr: float = 45.0
    """Least PSNR in dB between both files' 8-bit pictures, enlarged from our photograph."""
    task_loss: float = 0.1
    """By how many dB the PSNR on a benchmark set may fall."""

    def shortfall(
        self, psnr: float, task_loss: float | None = None, on: str = "the benchmark set"
    ) -> str | None:
        """What is lacking; None where the floor is kept. A ``task_loss`` of None: nothing was
        measured; else it was measured ``on`` that."""
        if not psnr >= self.psnr:
            return f"{psnr:.1f} dB to fp32; the floor is {self.psnr:g}"
        if task_loss is not None and not task_loss <= self.task_loss:
            return f"{task_loss:.2f} dB lost on {on}; at most {self.task_loss:g}"
        return None
