"""Completion scripts for bash, zsh and fish, generated from the parsers."""

from __future__ import annotations

import argparse

from tokenpakctl import cli


class Words:
    """What may follow one verb: option names, and the values of its positional arguments."""

    __slots__ = ("options", "values", "verb")

    def __init__(self, verb: str, options: list[tuple[str, str]], values: list[str]) -> None:
        self.verb = verb
        self.options = options
        self.values = values

    @property
    def all(self) -> str:
        return " ".join([*self.values, *(name for name, _ in self.options)])


def words() -> list[Words]:
    """Yield the words of every verb, in the order of the help."""
    found = []
    for verb in cli.SUMMARIES:
        options: list[tuple[str, str]] = []
        values: list[str] = []
        for action in actions(verb):
            if action.option_strings:
                options += [(name, action.help or "") for name in action.option_strings if name.startswith("--")]
            elif action.choices is not None:
                values += [str(choice) for choice in action.choices]
        found.append(Words(verb, options, values))
    return found


def actions(verb: str) -> list[argparse.Action]:
    """Yield the arguments of one verb, --help aside."""
    return [action for action in cli.parser(verb)._actions if action.dest != "help"]  # noqa: SLF001 - no public way


def bash() -> str:
    """Yield the script for bash; `eval "$(tokenpakctl completion bash)"` loads it."""
    cases = "\n".join(f'    {one.verb}) words="{one.all}" ;;' for one in words())
    return f"""\
_tokenpakctl() {{
  local word verb words i
  word="${{COMP_WORDS[COMP_CWORD]}}"
  verb=""
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i]}}" in -*) ;; *) verb="${{COMP_WORDS[i]}}"; break ;; esac
  done
  case "$verb" in
    "") words="{" ".join(cli.SUMMARIES)} --json --help --version" ;;
{cases}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F _tokenpakctl tokenpakctl tokenpak
"""


def zsh() -> str:
    """Yield the script for zsh; put it into a folder of $fpath as `_tokenpakctl`, or eval it."""
    verbs = "\n".join(f"    {_quoted(f'{verb}:{summary}')}" for verb, summary in cli.SUMMARIES.items())
    cases = "\n".join(f"    {one.verb}) compadd -- {one.all} ;;" for one in words())
    return f"""\
#compdef tokenpakctl tokenpak
_tokenpakctl() {{
  local -a verbs
  verbs=(
{verbs}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    return
  fi
  case "$words[2]" in
{cases}
  esac
}}
if [ "$funcstack[1]" = "_tokenpakctl" ]; then
  _tokenpakctl "$@"
else
  compdef _tokenpakctl tokenpakctl tokenpak
fi
"""


def fish() -> str:
    """Yield the script for fish; `tokenpakctl completion fish | source` loads it."""
    lines = []
    for program in ("tokenpakctl", "tokenpak"):
        lines.append(f"complete -c {program} -f")
        for verb, summary in cli.SUMMARIES.items():
            lines.append(f"complete -c {program} -n __fish_use_subcommand -a {verb} -d {_quoted(summary)}")
        for one in words():
            seen = f"'__fish_seen_subcommand_from {one.verb}'"
            lines += [f"complete -c {program} -n {seen} -a {value}" for value in one.values]
            for name, description in one.options:
                text = f" -d {_quoted(description)}" if description else ""
                lines.append(f"complete -c {program} -n {seen} -l {name[2:]}{text}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Quote for zsh and fish alike: no single quote or backslash comes through."""
    return "'" + text.replace("\\", "").replace("'", "’") + "'"


def usage(verb: str) -> str:
    """Yield one line of usage, the same under every version of Python."""
    parts = ["tokenpakctl", verb]
    for action in actions(verb):
        if action.option_strings:
            name = max(action.option_strings, key=len)
            parts.append(f"[{name}]" if action.nargs == 0 else f"[{name} {action.metavar or action.dest.upper()}]")
            continue
        name = "|".join(map(str, action.choices)) if action.choices is not None else action.dest.upper()
        parts.append(f"[{name}]" if action.nargs == "?" else name)
    return " ".join(parts)
