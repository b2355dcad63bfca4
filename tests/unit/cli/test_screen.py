from __future__ import annotations

import io

from jupyterhub_imagebuilder.cli.screen import Screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


def screen(err=None, **settings):
    out, err = io.StringIO(), err or io.StringIO()
    return Screen(out, err, **{"quiet": False, "several": False} | settings), out, err


def test_log_and_stages_have_a_stream_each():
    shown, out, err = screen()
    shown.stage("gh/o/r/x", "building: Building the image")
    shown.log("gh/o/r/x", "Step 1/2")
    shown.log("gh/o/r/x", "a\nb")
    shown.close()
    assert out.getvalue() == "Step 1/2\na\nb\n"
    assert err.getvalue() == "gh/o/r/x: building: Building the image\n"


def test_several_builds_are_told_apart():
    shown, out, _ = screen(several=True)
    shown.log("gh/o/r/x", "a\nb")
    assert out.getvalue() == "[gh/o/r/x] a\n[gh/o/r/x] b\n"


def test_quiet_leaves_what_stays():
    shown, out, err = screen(quiet=True, fenced=True)
    shown.stage("a", "building")
    shown.log("a", "line")
    shown.say("a: failed")
    shown.close()
    assert (out.getvalue(), err.getvalue()) == ("", "a: failed\n")


def test_a_terminal_shows_stages_in_one_line():
    shown, out, err = screen(Terminal())
    shown.stage("a", "waiting")
    shown.stage("a", "building")
    shown.log("a", "line")
    shown.say("a: built")
    shown.close()
    clear = "\r\x1b[2K"
    assert err.getvalue() == f"a: waiting{clear}a: building{clear}a: building{clear}a: built\n"
    assert out.getvalue() == "line\n"


def test_a_log_cannot_move_the_cursor_or_name_the_window():
    shown, out, _ = screen()
    shown.log("a", "\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b[2J\x9b2J\tend")
    assert out.getvalue() == "]0;title\x1b[31mred\x1b[0m[2J2J\tend\n"


def test_a_log_gives_no_commands_to_githubs_runner():
    shown, out, _ = screen(fenced=True)
    shown.log("a", "::add-path::/tmp")
    shown.close()
    shown.close()
    first, line, last = out.getvalue().splitlines()
    word = first.removeprefix("::stop-commands::")
    assert len(word) == 32
    assert (line, last) == ("::add-path::/tmp", f"::{word}::")
