"""Tasks by name: what a study's `task` may be. Imports no torch."""

TASKS = {
    "paired": "paired:PairedTask",
    "unpaired": "unpaired:UnpairedTask",
    "unconditional": "unconditional:UnconditionalTask",
}
