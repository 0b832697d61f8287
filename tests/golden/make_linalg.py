#!/usr/bin/env python3
"""Writes linalg.safetensors, as make_golden.py writes ops.safetensors: products and linear algebra of PyTorch (made with 2.13.0,
CPU, float64). The name of an einsum case is "einsum:" and its equation.

    python3 make_linalg.py linalg.safetensors
"""
import sys

import torch
import torch.nn.functional as F

from golden import D, case, generator, randn, write

generator.manual_seed(20240301)


def spd(*shape):
    a = randn(*shape)
    return a @ a.mT + 0.5 * torch.eye(shape[-1], dtype=D)


def regular(*shape):
    return randn(*shape) + 3 * torch.eye(shape[-1], dtype=D)


case("matmul_dot", torch.matmul, a=randn(7), b=randn(7))
case("matmul_row", torch.matmul, a=randn(7), b=randn(7, 3))
case("matmul_row_batched", torch.matmul, a=randn(7), b=randn(2, 4, 7, 3))
case("matmul_column", torch.matmul, a=randn(5, 7), b=randn(7))
case("matmul_column_batched", torch.matmul, a=randn(2, 4, 5, 7), b=randn(7))
case("matmul_both_broadcast", torch.matmul, a=randn(3, 1, 2, 4), b=randn(1, 5, 4, 3))
case("dot", torch.dot, a=randn(9), b=randn(9))
case("outer", torch.outer, a=randn(4), b=randn(6))
case("bilinear_bias", F.bilinear, x1=randn(3, 4), x2=randn(3, 5), weight=randn(6, 4, 5), bias=randn(6))
case("bilinear_batched", lambda x1, x2, w: F.bilinear(x1, x2, w), x1=randn(2, 3, 4), x2=randn(2, 3, 5), weight=randn(2, 4, 5))

for equation, *shapes in [
    ("ij,jk->ik", (3, 4), (4, 5)), ("ij,jk", (3, 4), (4, 5)), ("ba,cb", (3, 4), (2, 3)), ("Ba,aC", (3, 4), (4, 2)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("bhid,bhjd->bhij", (2, 2, 3, 4), (2, 2, 5, 4)), ("bij,bkj->kb", (2, 3, 4), (2, 5, 4)),
    ("ii", (4, 4)), ("ii->i", (4, 4)), ("iji->j", (3, 2, 3)), ("iijj->ij", (3, 3, 2, 2)), ("iii->i", (3, 3, 3)),
    ("ij->", (3, 4)), ("ij->ji", (3, 4)), ("ijk->kj", (2, 3, 4)), ("i,j->ij", (3,), (4,)), ("i,i->", (5,), (5,)), ("i,i->i", (5,), (5,)),
    (",ij->ij", (), (2, 3)), ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)), ("...i,...i->...", (2, 3, 4), (3, 4)),
    ("i...,ij->j...", (3, 2, 2), (3, 4)), ("...a->a...", (2, 3, 4)), ("b...", (2, 3)), ("...ij->ij", (2, 3, 4)), ("ij , jk -> ik", (3, 4), (4, 2)),
    ("ij,ij->i", (3, 1), (3, 4)), ("ij,jk -> ik", (3, 1), (4, 2)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("bi,oij,bj->bo", (2, 3), (4, 3, 5), (2, 5)),
    ("a,b,c->cab", (2,), (3,), (4,)), ("ij,k->k", (2, 3), (4,)), ("ijj,jk->ik", (2, 3, 3), (3, 4)),
]:
    case(f"einsum:{equation}", lambda *x, e=equation: torch.einsum(e, *x), **{"abc"[i]: randn(*s) for i, s in enumerate(shapes)})

case("cholesky_lower", torch.linalg.cholesky, a=spd(5, 5))
case("cholesky_batched", torch.linalg.cholesky, a=spd(2, 3, 4, 4))
case("cholesky_upper", lambda a: torch.linalg.cholesky(a, upper=True), a=spd(2, 4, 4))
case("cholesky_one", torch.linalg.cholesky, a=spd(1, 1))
for upper in (False, True):
    for transpose in (False, True):
        for unit in (False, True):
            # PyTorch's triangle of the transposed matrix is the other one.
            case(f"triangular_solve_{int(upper)}{int(transpose)}{int(unit)}",
                 lambda a, b, u=upper, t=transpose, n=unit: torch.linalg.solve_triangular(a.mT if t else a, b, upper=u != t, unitriangular=n),
                 a=regular(4, 4), b=randn(4, 3))
case("triangular_solve_100_batched", lambda a, b: torch.linalg.solve_triangular(a, b, upper=True), a=regular(2, 1, 3, 3), b=randn(4, 3, 2))
case("solve_matrix", torch.linalg.solve, a=regular(4, 4), b=randn(4, 3))
case("solve_batched", torch.linalg.solve, a=regular(3, 1, 4, 4), b=randn(2, 4, 1))
case("solve_pivots", torch.linalg.solve, a=torch.tensor([[0.0, 2, 1], [1, 0, 3], [4, 1, 0]], dtype=D), b=randn(3, 2))
case("solve_vector", torch.linalg.solve, a=regular(4, 4), b=randn(4))
case("inverse_one", torch.linalg.inv, a=regular(4, 4))
case("inverse_batched", torch.linalg.inv, a=regular(2, 3, 3, 3))
case("det_batched", torch.linalg.det, a=randn(3, 4, 4))
case("det_one", torch.linalg.det, a=randn(1, 1))
case("slogdet", torch.linalg.slogdet, a=randn(6, 4, 4))
case("logdet_batched", torch.logdet, a=spd(3, 4, 4))


def eigh(a):
    """Eigenvectors have no sign: their squares, and a function of the matrix. Of (a + a^T) / 2, as backprop's."""
    w, v = torch.linalg.eigh((a + a.mT) / 2)
    return w, v * v, v @ torch.diag_embed(torch.sin(w)) @ v.mT


case("eigh_matrix", eigh, a=randn(5, 5))
case("eigh_batched", eigh, a=randn(2, 3, 4, 4))
case("eigh_one", eigh, a=randn(1, 1))
for name, shape in (("square", (4, 4)), ("tall", (6, 3)), ("wide", (3, 5)), ("batched", (2, 1, 5, 4)), ("column", (4, 1)), ("row", (1, 4))):
    case(f"qr_{name}", torch.linalg.qr, a=randn(*shape))

if __name__ == "__main__":
    write(sys.argv[1])
