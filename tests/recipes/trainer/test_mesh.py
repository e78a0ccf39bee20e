"""The shape of a mesh as a value: what is read and what is refused."""

import pytest

from recipes.config import GPTConfig, Recipe
from recipes.errors import RecipeError
from recipes.trainer.mesh import MeshShape
from recipes.trainer.settings import TrainerSettings


def test_axes_that_are_left_out_have_one_device():
    assert MeshShape.parse(" tensor=2, data=4") == MeshShape(
        data=4, fsdp=1, expert=1, sequence=1, tensor=2
    )


def test_a_shape_is_written_as_it_is_read():
    for text in ("data=2,fsdp=4,tensor=2", "expert=8", "data=1"):
        assert str(MeshShape.parse(text)) == text


def test_tensor_and_sequence_do_not_split_the_batch():
    shape = MeshShape(data=2, fsdp=3, expert=5, sequence=11, tensor=7)
    assert (shape.devices, shape.batch_parts) == (2310, 30)


def test_a_context_that_the_mesh_does_not_divide_is_refused():
    trainer = TrainerSettings(mesh="sequence=4")
    assert Recipe(model=GPTConfig(context=64), trainer=trainer).model.context == 64
    message = r"model.context=66 is split into 4 parts by --mesh sequence=4.*context 64 or 68"
    with pytest.raises(RecipeError, match=message):
        Recipe(model=GPTConfig(context=66), trainer=trainer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' in --mesh '' is not an axis and its size.*--mesh data=2,fsdp=4"),
        ("data", "'data' in --mesh 'data' is not an axis and its size"),
        ("data=-1", "'data=-1' in --mesh"),
        ("data=²", "'data=²' in --mesh"),
        ("data=0", "data=0 of the mesh must be at least 1"),
        ("dta=2", "'dta' in --mesh 'dta=2' is not an axis. Use 'data'"),
        ("data=2,data=2", "has 'data' twice"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(text, message):
    with pytest.raises(RecipeError, match=message):
        TrainerSettings(mesh=text)
