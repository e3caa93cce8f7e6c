"""The heads of all modules, computed together (GradSplitter, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modelfoundry.core.heads import HeadLayer, LinearHead


class JointHeads(nn.Module):
    """For every module `Linear(width, k)(ReLU(Linear(N, width)(ReLU(logits))))`, k labels of N.

    Weights begin as those of `nn.Linear`, drawn module by module from torch's global generator.
    """

    owner: Tensor
    """Module of every label, int64 [labels]."""

    def __init__(self, groups: Sequence[Sequence[int]], width: int, device: torch.device) -> None:
        """Makes the heads.

        Args:
            groups: For every module the labels that it recognises, by number; every label once in all.
            width: Outputs of the first layer.
            device: Where they are trained.
        """
        super().__init__()
        labels = sum(map(len, groups))
        self._groups = [list(group) for group in groups]
        first = []
        score_weight, score_bias = torch.empty(labels, width), torch.empty(labels)
        owner = torch.empty(labels, dtype=torch.int64)
        for place, group in enumerate(self._groups):
            first.append(nn.Linear(labels, width))
            second = nn.Linear(width, len(group))
            score_weight[group], score_bias[group] = second.weight.detach(), second.bias.detach()
            owner[group] = place
        self.hidden_weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in first]).to(device))
        self.hidden_bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in first]).to(device))
        self.score_weight = nn.Parameter(score_weight.to(device))
        self.score_bias = nn.Parameter(score_bias.to(device))
        self.register_buffer("owner", owner.to(device), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """What every label's module says of it, before the sigmoid.

        Args:
            logits: Of every module's masked network, float32 [modules, n, labels].

        Returns:
            float32 [n, labels], in the order of the model's labels.
        """
        hidden = torch.baddbmm(self.hidden_bias[:, None], logits.relu(), self.hidden_weight.transpose(1, 2)).relu()
        scores = torch.bmm(hidden[self.owner], self.score_weight[:, :, None])[:, :, 0]
        return (scores + self.score_bias[:, None]).T

    def head(self, place: int) -> LinearHead:
        """One module's head as a module stores it, on the CPU: its scores, then 0 for the rest.

        The softmax of (z, 0) is sigmoid(z): the score of the paper.
        """
        group = self._groups[place]
        layer = self.hidden_weight.detach()[place].cpu().clone(), self.hidden_bias.detach()[place].cpu().clone()
        weight, bias = self.score_weight.detach()[group].cpu(), self.score_bias.detach()[group].cpu()
        rest = torch.zeros(1, weight.shape[1]), torch.zeros(1)
        return LinearHead((HeadLayer(*layer), HeadLayer(torch.cat([weight, rest[0]]), torch.cat([bias, rest[1]]))))
