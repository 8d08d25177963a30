"""Writes adamw_fixture.json: ten steps of torch.optim.AdamW, as golden values for trainer/optim/adamw.cpp.

    python tests/trainer/optim/make_adamw_fixture.py > tests/trainer/optim/adamw_fixture.json

Gradients and learning rates change from step to step. `bfloat16` is the same run with float32 masters: the parameters are the masters,
rounded after each step, and the gradients are rounded to bfloat16 before use. float32 values are printed exactly.
"""
import json

import torch

SHAPES = [[3, 4], [5]]
OPTIONS = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1}
STEPS = 10


def run(start, gradients, rates):
    parameters = [p.clone().requires_grad_(True) for p in start]
    optimizer = torch.optim.AdamW(parameters, lr=1.0, betas=(OPTIONS["beta1"], OPTIONS["beta2"]), eps=OPTIONS["eps"],
                                  weight_decay=OPTIONS["weight_decay"], foreach=False, fused=False)
    history = []
    for gradient, rate in zip(gradients, rates):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for parameter, g in zip(parameters, gradient):
            parameter.grad = g.clone()
        optimizer.step()
        history.append([p.detach().clone() for p in parameters])
    return history


def listed(tensors):
    return [t.flatten().tolist() for t in tensors]


generator = torch.Generator().manual_seed(7)
start = [torch.randn(s, generator=generator) for s in SHAPES]
# Magnitudes from 1e-4 to 1e4, and zeros, so that eps and the second moment matter.
gradients = [[torch.randn(s, generator=generator) * 10.0 ** torch.randint(-4, 5, s, generator=generator) for s in SHAPES]
             for _ in range(STEPS)]
gradients[4] = [torch.zeros(s) for s in SHAPES]
rates = [1e-3 * (step + 1) for step in range(STEPS)]

low_start = [p.bfloat16() for p in start]
low_gradients = [[g.bfloat16() for g in gradient] for gradient in gradients]
low = run([p.float() for p in low_start], [[g.float() for g in gradient] for gradient in low_gradients], rates)

print(json.dumps({
    "torch": torch.__version__.split("+")[0],
    "shapes": SHAPES,
    "options": OPTIONS,
    "rates": rates,
    "start": listed(start),
    "gradients": [listed(g) for g in gradients],
    "float32": [listed(p) for p in run(start, gradients, rates)],
    "bfloat16": [listed([p.bfloat16().float() for p in step]) for step in low],
}))
