"""What errors of a run advise, and what follows the advice: the tables of `test_fixes.py`."""

import ast
import re

from sources import SOURCES

ROOMS = ("commands", "runs", "trainer", "data")


def template(node: ast.expr) -> str:
    """A text in the source, with braces for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(template, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else "{}"


def errors() -> list[tuple[str, str]]:
    """Cause and fix of every error that the rooms of a run construct."""
    recipes = SOURCES / "recipes"
    files = [*recipes.glob("*.py"), *(f for room in ROOMS for f in (recipes / room).rglob("*.py"))]
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    found = [
        (template(node.args[0]), template(node.args[1]))
        for node in calls
        if isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords
        if ast.unparse(node.func) in ("RecipeError", "DamagedError")
    ]
    return [(cause, fix) for cause, fix in found if cause != "{}"]  # which begins elsewhere


# The cause as it begins; options that it comes with; what the fix says; options that follow it.
OPTIONS = [
    ("num_heads={} must divide", "--model.num-heads 5", "4, 8", "--model.num-heads 8"),
    ("dropout_rate={} must", "--model.dropout-rate 1", "0.1 or", "--model.dropout-rate 0.1"),
    ("init_stddev={} must", "--model.init-stddev 0", "Use 0.02", "--model.init-stddev 0.02"),
    ("data is empty.", "--data", "--data a corpus", "--data manual"),
    ("batch_size={} must", "--batch-size 0", "Use 12 or 64", "--batch-size 12"),
    ("lora={} must", "--lora 8", "--init-from FOLDER --lora 8", "--init-from FOLDER --lora 8"),
    (
        "model.base_width={} is for",
        "--init-from FOLDER --model.base-width 64",
        "Leave out --model.base-width",
        "--init-from FOLDER",
    ),
    ("weights={} and data={} must", "--weights 1 2", "a number for each", "--weights 1"),
    (
        "weights={} must be positive",
        "--data a b --weights 1 0",
        "Leave a text out",
        "--data a --weights 1",
    ),
    ("seed={} is out", "--seed -1", "0 to 4294967295", "--seed 4294967295"),
    ("trainer.accumulate={} must", "--trainer.accumulate 3", "1, 2, 4", "--trainer.accumulate 4"),
    ("{}={} must be at least 1.", "--model.context 0", "context a size", "--model.context 32"),
    ("--model.vocab-size is not", "--model.vocab-size 300", "Leave it out", ""),
    ("learning_rate={} must", "--lr 0", "1e-3", "--lr 1e-3"),
    (
        "min_learning_rate={} must",
        "--lr 1e-5",
        "Add --optimizer.min-learning-rate 1e-06",
        "--lr 1e-5 --optimizer.min-learning-rate 1e-06",
    ),
    (
        "muon_learning_rate={} must",
        "--optimizer.muon-learning-rate 0",
        "0.02",
        "--optimizer.muon-learning-rate 0.02",
    ),
    ("decay_steps={} must", "--optimizer.decay-steps 0", "Leave it out", ""),
    ("epsilon={} must", "--optimizer.epsilon 0", "1e-8", "--optimizer.epsilon 1e-8"),
    (
        "warmup_steps={} and",
        "--optimizer.warmup-steps -1",
        "Use 0",
        "--optimizer.warmup-steps 0",
    ),
    ("clip_norm={} must", "--optimizer.clip-norm 0", "Leave it out", ""),
    (
        "{}={} is more than the {} steps",
        "--trainer.max-steps 3000000000",
        "Use 2147483647 at most",
        "--trainer.max-steps 2147483647",
    ),
    ("{}={} must be at least 0 and", "--optimizer.beta1 2", "0.9 and", "--optimizer.beta1 0.9"),
    ("{}={} must be finite.", "--optimizer.weight-decay inf", "Leave it out", ""),
    ("{}={} of the mesh must", "--trainer.mesh data=0,fsdp=2", "Leave it", "--trainer.mesh fsdp=2"),
    (
        "{} in --mesh {} is not an axis and",
        "--trainer.mesh 8",
        "as --mesh data=2,fsdp=4",
        "--trainer.mesh data=2,fsdp=4",
    ),
    ("{} in --mesh {} is not an axis.", "--trainer.mesh dta=2", "'data'", "--trainer.mesh data=2"),
    ("--mesh {} has {} twice", "--trainer.mesh data=2,data=2", "one out", "--trainer.mesh data=2"),
    (
        "batch_size={} is split",
        "--batch-size 6 --trainer.mesh fsdp=4",
        "Use --batch-size 4 or 8",
        "--batch-size 8 --trainer.mesh fsdp=4",
    ),
    (
        "model.context={} is split",
        "--model.context 30 --trainer.mesh sequence=4",
        "Use --model.context 28 or 32",
        "--model.context 32 --trainer.mesh sequence=4",
    ),
    (
        "top_k={} is more than num_experts",
        "--model.num-experts 2 --model.top-k 3",
        "Use --model.top-k 2",
        "--model.num-experts 2 --model.top-k 2",
    ),
    (
        "--num-processes {} and --process-id {} need",
        "--num-processes 2 --process-id 0",
        "Add --coordinator HOST:PORT",
        "--num-processes 2 --process-id 0 --coordinator host:1",
    ),
    (
        "--coordinator {} with --num-processes",
        "--coordinator host:1",
        "--num-processes 2 and --process-id 0 or 1",
        "--num-processes 2 --process-id 1 --coordinator host:1",
    ),
    (
        "--coordinator {} has no port",
        "--coordinator host --num-processes 2 --process-id 0",
        "Use host:1234",
        "--coordinator host:1234 --num-processes 2 --process-id 0",
    ),
]


def matches(start: str, cause: str) -> bool:
    return re.match(re.escape(start).replace(r"\{\}", ".+"), cause, re.DOTALL) is not None


# The same with whole commands, for a run that has ended: what follows the fix ends with 0.
GO_ON = "train --run-dir RUN --resume auto"
COMMANDS = [
    ("There is no preset {}", "train quik", "Use 'quick'", GO_ON.replace("train", "train quick")),
    ("The preset {} stands after", "train --run-dir RUN lecture", "Write it first", GO_ON),
    ("{} holds no run:", "sample nowhere", "folder that `train`", "sample RUN --tokens 1"),
    ("There is no checkpoint of step", "train --run-dir RUN --resume 7", "There are: 10", GO_ON),
    ("--resume {} needs", "train --resume auto", "Add --run-dir FOLDER", GO_ON),
    ("--resume {} is not a step", "train --run-dir RUN --resume x", "auto", GO_ON),
    ("--change is for", "train --run-dir RUN --change", "--resume auto", f"{GO_ON} --change"),
    ("The run folder {} is not", "train --run-dir RUN", "--resume auto", GO_ON),
    ("{} is a file, not", "train --run-dir EMPTY", "another path", GO_ON),
    ("The folder {} holds files", "train --run-dir OTHER --resume auto", "folder of a run", GO_ON),
    ("The run in {} was", f"{GO_ON.replace('train', 'train lecture')}", "Leave out", GO_ON),
    ("The settings differ", f"{GO_ON} --model.features 32", "Leave out", GO_ON),
    (
        "The settings differ",
        f"{GO_ON} --optimizer.beta1 0.8",
        "Add --change",
        f"{GO_ON} --optimizer.beta1 0.8 --change",
    ),
    ("The corpus {} is not", f"{GO_ON} --data OTHER/x.txt", "--data", f"{GO_ON} --data TEXT"),
    ("The run was trained with another text", f"{GO_ON} --validation TEXT", "or none", GO_ON),
    ("compare needs", "compare", "Give one or more", "compare RUN"),
    ("--out {} is", "compare RUN --out x.pdf", ".svg", "compare RUN --out OTHER/x.svg"),
    (
        "The vocabulary of {} characters lacks",
        "sample RUN --prompt 日 --tokens 1",
        "Leave them out",
        "sample RUN --prompt the --tokens 1",
    ),
    ("The folder {} holds no config", "size OTHER", "name of a preset", "size RUN"),
    ("The file {} does not", "size quick --data gone.txt", "a text file", "size quick --data TEXT"),
    ("{} is neither a corpus", "size quick --data manul", "'manual'", "size quick --data manual"),
    (
        "{} is not a tokenizer.",
        "size quick --data TEXT --tokenizer byte",
        "'bytes'",
        "size quick --data TEXT --tokenizer bytes",
    ),
    (
        "The tokenizer {} does not exist",
        "size quick --data TEXT --tokenizer gone.json",
        "use characters",
        "size quick --data TEXT --tokenizer characters",
    ),
    ("{} is empty.", "size quick --data EMPTY", "text in it", "size quick --data TEXT"),
    ("--data has an empty name", "size quick --data=", "Give a corpus", "size quick --data TEXT"),
    ("--mesh {} has {} devices", f"{GO_ON} --max-steps 20 --mesh data=2", "product is 1", GO_ON),
    (
        "The run was trained with the tok",
        f"{GO_ON} --tokenizer bytes",
        "tokenizer of the run",
        GO_ON,
    ),
    ("steps={} must", "profile RUN --steps 0", "count", "profile RUN --steps 1 --out OTHER/out"),
]

# Causes whose fix is followed by another test, which injects the fault first.
ELSEWHERE = {
    "The {} after step {} failed": "test_the_step_is_saved_and_the_run_goes_on_from_it",
    "{} The last finite parameters": "test_the_advice_after_it_can_be_followed",
    "{} is not what was written": "test_an_edit_is_refused_until_its_digest_is_deleted",
    "{} is damaged: ": "test_a_file_that_was_lost_is_read_again_from_a_copy",
    "{} has line ends": "test_converted_line_ends_are_named",
    "{} cannot be read: ": "test_no_permission_is_one_sentence",
    "{} cannot be written: ": "test_no_permission_is_one_sentence",
    "{} cannot be read or written": "test_no_permission_is_one_sentence",
    "The run folder {} cannot be written": "test_no_permission_is_one_sentence",
    "The checkpoint of step {} is damaged": "test_a_damaged_checkpoint_is_named_and_the_one",
    "The checkpoint of step {} could not": "test_a_disk_that_is_full_is_an_error_and_keeps",
    "There is no checkpoint in {}": "test_a_run_without_its_only_checkpoint_goes_on_as_it_is_told",
    "Another process{} is training": "test_a_second_claim_is_refused_and_names_the_holder",
    "Another process was lost": "test_a_killed_process_ends_the_other_and_a_restart_goes_on",
    "The settings of the processes differ": "test_processes_with_other_settings_are_all_refused",
    "The vocabulary of the run {}": "test_another_vocabulary_is_refused",
}
# What another file, another machine or a person must bring, and functions that no command calls.
NOT_BY_A_COMMAND = """
config.json is damaged or of|The model and its batch need|{} has no tokenizer.json|The output
There is no room for temporary|There is not enough memory|The corpus {} of Python
The model's head|{} holds a {}, and|model.context={} is more|{} holds a published
This machine has a GPU|The device {}|There is nothing to resume
A resumed training|--trainer.tracker {} needs|The checkpoint of step {} has format
The checkpoint of step {} is of another|Batches were expected|The batches end|Line {} of
--coordinator {} finds no|The processes did not all|The coordinator at|every({}) must
This Python|The encoded text cannot|The corpus {} changed|{} has a NUL|{} is not UTF-8
{} has no column|{} must be a JSON|{} has {}={}|{} needs the package|{} cannot be loaded
{} holds {} at|{} is not JSON|The run was trained with another tok|The tokenizer {} is
The tokenizer {} has|--data -|The standard input|The {} bytes|Downloading|{} sends
The download|Byte pairs need|Token id|The text holds|The text has|The saved data position {} is
The data position was saved
One of {} is empty
The model has {} experts in each
Two arrays are called|{} has the dtype|{} has {} in the dtype
"""
