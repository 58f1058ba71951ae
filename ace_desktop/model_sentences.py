"""What the library of models says, as a sentence of this window and in the user's language.

Its rooms write English for a terminal; here stand the forms that a window can meet, each with what is said instead of
a command or a variable of the environment. A test compares the left sides with the source.
"""

from __future__ import annotations

import re
from functools import cache

from .translation import filled, tr
from .translation import marked as _

FORMS: tuple[tuple[str, str], ...] = (
    ("{0} needs {1}, but only {2} are free on the disk of {3}; make room, or set ACE_MODELS to a folder on another "
     "disk",
     _("{0} needs {1}, but only {2} are free. Make room, or choose a folder on another disk in the preferences.")),
    ("{0} ({1} still to be written) needs {2}, but only {3} are free on the disk of {4}; make room, or set "
     "ACE_MODELS to a folder on another disk",
     _("{0} needs {2}, but only {3} are free. Make room, or choose a folder on another disk in the preferences.")),
    ("the disk of {0} is full; make room and start again, what is already here of {1} is kept",
     _("The disk is full. Make room and go on; what is here of {1} is kept.")),
    ("{0} cannot be kept in {1} ({2})",
     _("{0} cannot be kept in {1} ({2}). Choose another folder in the preferences.")),
    ("the folder of models {0} cannot be written to ({1}); allow it, or set ACE_MODELS to a folder that can be",
     _("The folder {0} cannot be written to ({1}). Allow it, or choose another one in the preferences.")),
    ("the folder {0} cannot be locked ({1}); choose another with ACE_MODELS",
     _("The folder {0} cannot be used by one program at a time ({1}). Choose another one in the preferences.")),
    ("{0} could not be fetched from {1}: {2}; check the network and start again, what is already here is kept",
     _("{0} could not be fetched from {1}. Check the network and go on; what is here is kept.")),
    ("the repository {0} could not be fetched from {1}: {2}; check the network and start again, what is already here "
     "is kept",
     _("{0} could not be fetched from {1}. Check the network and go on; what is here is kept.")),
    ("the hub gave no usable answer about {0}", _("The server gave no usable answer. Go on later.")),
    ("{0} arrived damaged and was thrown away; start again to fetch it anew",
     _("{0} arrived damaged and was thrown away. Go on to fetch it again.")),
    ("{0} has another size than the hub lists; start again to fetch it anew",
     _("{0} has another size than it should. Go on to fetch it again.")),
    ("{0} is shorter than the hub lists; start again to fetch it anew",
     _("{0} is shorter than it should be. Go on to fetch it again.")),
    ("{0} changed on the hub while it was being fetched; start again to fetch it anew",
     _("{0} was replaced by its owner while it was being fetched. Go on to fetch it again.")),
    ("{0} refuses {1} with error {2}; try again later or choose another source",
     _("{0} refuses {1} (error {2}). Go on later.")),
    ("the repository {0} is not (or no longer) on {1}; choose another source",
     _("{0} is no longer offered on {1}. Choose another model, or update the program.")),
    ("{0} is not (or no longer) on {1}; choose another source",
     _("{0} is no longer offered on {1}. Choose another model, or update the program.")),
    ("the repository {0} was disabled on {1}; choose another source",
     _("{0} was closed on {1}. Choose another model, or update the program.")),
    ("{0} is not the file that the catalogue names: its sha256 is another",
     _("{0} is not the file that was expected, so it is not used. Update the program, or try again later.")),
    ("HF_HUB_OFFLINE forbids to reach the hub; unset it to fetch models",
     _("This program was started with HF_HUB_OFFLINE, which forbids downloads. Start it without.")),
    ("HF_ENDPOINT is not the address of a hub: {0}; correct it, or unset it",
     _("HF_ENDPOINT, with which this program was started, is not an address. Start it without.")),
    ("the proxy wants a name and a password; put them into HTTPS_PROXY as http://name:password@…",
     _("The proxy wants a name and a password. Put them into HTTPS_PROXY as http://name:password@…")),
    ("the proxy set in HTTPS_PROXY or ALL_PROXY refuses: {0}",
     _("The proxy of this machine refuses the download ({0}). Check its settings.")),
    ("the token {0} has expired; make a new one at {1} and {2}",
     _("The token has expired. Make a new one and enter it.")),
    ("{0} does not know the token {1}; copy it again from {2}, all of it, and {3}",
     _("{0} does not know the token. Copy it again, all of it, and enter it.")),
    ("{0} does not allow this token to read {1}; make one with read access at {2}",
     _("The token may not read {1}. Make one with read access and enter it.")),
    ("{0} wants its licence accepted and a token: open {1}, accept, and enter a token",
     _("{0} wants its licence accepted and a token. Follow the three steps.")),
    ("the token {0} may not read {1}: allow it to read public gated repositories at {2}, or make one of the kind "
     "Read",
     _("The token may not read {1}. Allow it to read public gated repositories, or make one of the kind Read.")),
    ("the owner of {0} has not answered the request for access yet; try again later",
     _("The owner of {0} has not answered the request for access yet. Go on later.")),
    ("the licence of {0} is not accepted yet: open {1} with the token's account and accept",
     _("The licence of {0} is not accepted yet. Open its page with the account of the token and accept it.")),
    ("that is not an access token: it is one word of letters and digits, such as hf_…",
     _("That is not an access token. It is one word of letters and digits, such as hf_…")),
    ("{0} does not hold an access token, which is one word of letters and digits, such as hf_…; correct it, or unset "
     "it",
     _("{0}, with which this program was started, is not an access token. Start it without.")),
    ("the keychain did not take the token ({0}); set it as HF_TOKEN in the environment instead",
     _("The keychain did not take the token ({0}). Unlock it and try again.")),
    ("this machine has no keychain that could keep the token safely, so it is not kept; set it as HF_TOKEN in the "
     "environment instead",
     _("This machine has no keychain that could keep the token safely. Start the program with it in HF_TOKEN.")),
    ("there is already a folder {0} that `ace models` did not make; move it away, then start again",
     _("There is already a folder {0} that this program did not make. Move it away, then go on.")),
    ("{0} is installed but damaged; mend it with: ace models repair {1}", _("{0} is damaged. Repair it.")),
    ("{0} is damaged ({1}); mend it with: ace models repair {2}", _("{0} is damaged ({1}). Repair it.")),
    ("{0} is damaged (it has no config.json); mend it with: ace models repair {1}", _("{0} is damaged. Repair it.")),
    ("nothing of {0} was found in {1}; give the folder that holds its files",
     _("Nothing of {0} was found in {1}. Choose the folder that holds its files.")),
    ("{0} lacks {1}; put them there, or add --fetch-missing to fetch them",
     _("{0} lacks {1}. Put it into the folder, or fetch what is missing.")),
    ("there is nothing at {0}; give the file or folder that holds the released files",
     _("There is nothing at {0}. Choose the folder that holds the files.")),
    ("{0} was made from {1}, which is not there any more; bring it back, or remove {2} and install it again",
     _("{0} was made from {1}, which is not there any more. Bring it back, or delete {2} and download it.")),
    ("{0} was made from {1}, which has other contents now; bring the file back, or remove {2} and install it again",
     _("{0} was made from {1}, which has other contents now. Bring it back, or delete {2} and download it.")),
    ("{0} came from {1}, which is not there any more or has changed; bring it back, or remove {2} and install it "
     "again",
     _("{0} came from {1}, which is not there any more or has changed. Delete {2} and download it again.")),
    ("the catalogue does not know {0} any more; remove {1} and install it again",
     _("The catalogue does not know {0} any more. Delete {1} and download it again.")),
    ("another process is changing the models in {0}; waiting for it to finish",
     _("Another program is changing the models. Waiting for it to finish.")),
    ("another process is changing the models in {0}; wait for it",
     _("Another program is changing the models. Wait for it, then try again.")),
    ("{0} was changed while it was moved; try again", _("{0} was changed while it was moved. Try again.")),
    ("the hub answers with error {0}; trying again in {1} s",
     _("The server answers with error {0}. Trying again in {1} s.")),
    ("{0}; trying again in {1} s", _("The network does not answer. Trying again in {1} s.")),
    ("{0} is compared with what was imported before", _("{0} is compared with what was imported before.")),
    ("the installer ended unexpectedly; what is here is kept, so go on with it",
     _("The installer ended unexpectedly. What is here is kept: go on with it.")),
)  # fmt: skip
"""What the library says, and what the window says for it; the values stand in the order of the library's."""

BUILT_FROM_PARTS = frozenset(
    {
        "{0} ({1} still to be written) needs {2}, but only {3} are free on the disk of {4}; make room, or set "
        "ACE_MODELS to a folder on another disk",
        "the repository {0} could not be fetched from {1}: {2}; check the network and start again, what is already "
        "here is kept",
        "{0} wants its licence accepted and a token: open {1}, accept, and enter a token",
        "the token {0} may not read {1}: allow it to read public gated repositories at {2}, or make one of the kind "
        "Read",
        "the owner of {0} has not answered the request for access yet; try again later",
        "the licence of {0} is not accepted yet: open {1} with the token's account and accept",
        "the hub answers with error {0}; trying again in {1} s",
        "the installer ended unexpectedly; what is here is kept, so go on with it",
        "this machine has no keychain that could keep the token safely, so it is not kept; set it as HF_TOKEN in the "
        "environment instead",
    }
)
"""Forms that do not stand in one piece where the library raises them; tests cause each of these."""


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\d\\\}", "(.+)", re.escape(form)), re.DOTALL)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compile the forms when the first sentence comes, which the window's start need not wait for."""
    longest_first = sorted(FORMS, key=lambda pair: len(pair[0]), reverse=True)
    return tuple((_pattern(form), said) for form, said in longest_first)


def library_said(text: str) -> str:
    """Say a sentence of the library as one of this window; one that is not known stays as it is."""
    for pattern, said in _patterns():
        if match := pattern.fullmatch(text):
            return filled(tr(said), *match.groups())
    first = text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text
    return first if not first or first.endswith((".", "?", "!", "…")) else first + "."
