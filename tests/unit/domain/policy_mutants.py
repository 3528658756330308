"""What can be wrong in an engine of policies, one thing a mutant: whatever it is compared with has to notice."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest

import secretsd.domain.conditions
import secretsd.domain.decisions
import secretsd.domain.grants
import secretsd.domain.patterns
import secretsd.domain.policy_rules
from secretsd.testing import policy_cases

DOMAIN = secretsd.domain
DECISIONS, RULES, GRANTS = DOMAIN.decisions, DOMAIN.policy_rules, DOMAIN.grants
CONDITIONS, PATTERNS = DOMAIN.conditions, DOMAIN.patterns
_SIDES = ((policy_cases, "Sides"),)
_RULES = ((policy_cases, "Rules"),)
_GRANT = ((policy_cases, "Grant"),)
_GLOBS = ((RULES, "glob"), (RULES, "ResourcePattern"), (CONDITIONS, "glob"))
_CONDITIONS = ((RULES, "Compiled"), (GRANTS, "Compiled"))
# The module, what of it is right, what is put there instead, and where the wrong part is taken for the right one.
MUTANTS = {
    "deny-loses": (DECISIONS, "(denial := _first(self.denies, facts)) is not None", "False", _SIDES),
    "no-owner-asked": (DECISIONS, "(self.foreign or self.guarded) and owner is None", "False", _SIDES),
    "trust-not-needed": (DECISIONS, "guarded = self.guarded and operation", "guarded = False and operation", _SIDES),
    "trust-speaks-of-all": (DECISIONS, "(operation == ASSUME_ROLE or not self.guarded)", "True", _SIDES),
    "boundary-ignored": (
        DECISIONS,
        "(self.boundary, Reason.OUTSIDE_BOUNDARY)",
        "(None, Reason.OUTSIDE_BOUNDARY)",
        _SIDES,
    ),
    "session-ignored": (DECISIONS, "(self.session, Reason.OUTSIDE_SESSION)", "(None, Reason.OUTSIDE_SESSION)", _SIDES),
    "boundary-does-not-deny": (
        DECISIONS,
        "boundary = allowing(self.boundary)",
        "boundary = tuple(self.boundary.applying(operation, resource, who).allowing)",
        _SIDES,
    ),
    "system-is-foreign": (DECISIONS, "(who.account, SYSTEM_ACCOUNT)", "(who.account,)", _SIDES),
    "account-is-named": (RULES, "found.delegating.append", "found.allowing.append", _RULES),
    "denied-account-is-not": (
        RULES,
        "if named or (one.principals is not None and who.account in one.principals):",
        "if named:",
        _RULES,
    ),
    "not-action-ignored": (RULES, "is found", "is True", _RULES),
    "not-resource-everywhere": (RULES, "(denies or resource.account == account) and not any", "not any", _RULES),
    "star-denies-here-alone": (RULES, 'if denies and "*" in statement.resources:', "if False:", _RULES),
    "star-allows-everywhere": (
        RULES,
        'if denies and "*" in statement.resources:',
        'if "*" in statement.resources:',
        _RULES,
    ),
    "one-character-is-a-star-too": (PATTERNS, '.replace("?", "[!*]")', "", _GLOBS),
    "brackets-are-globs": (PATTERNS, '.replace("[", "[[]")', "", _GLOBS),
    "prefix-is-a-match": (
        PATTERNS,
        'head_matcher(head) if pattern.endswith("*") else',
        "head_matcher(pattern.removesuffix('*')) or",
        _GLOBS,
    ),
    "any-is-all": (
        CONDITIONS,
        "return any(map(self._matches, found))",
        "return all(map(self._matches, found))",
        _CONDITIONS,
    ),
    "only-the-first-value": (
        CONDITIONS,
        "return all(map(self._matches, found))",
        "return self._matches(found[0])",
        _CONDITIONS,
    ),
    "absent-is-never-met": (CONDITIONS, "self._absent = found.if_exists or", "self._absent = False and", _CONDITIONS),
    "absent-is-not-for-any": (CONDITIONS, "(self._negated and not self._any)", "self._negated", _CONDITIONS),
    "not-is-lost": (CONDITIONS, "!= self._negated", "", _CONDITIONS),
    "null-is-turned": (CONDITIONS, "(not found) == self._null", "bool(found) == self._null", _CONDITIONS),
    "case-counts": (CONDITIONS, "str(fact).casefold() == folded", "str(fact) == folded", _CONDITIONS),
    "mapped-addresses-are-others": (CONDITIONS, "return mapped or address", "return address", _CONDITIONS),
    "less-is-less-or-equal": (
        CONDITIONS,
        "_ordered(operators.lt, read(text))",
        "_ordered(operators.le, read(text))",
        _CONDITIONS,
    ),
    "grant-never-expires": (GRANTS, "if grant.expires_ms is None or", "if True or", _GRANT),
    "grant-constrains-nothing": (GRANTS, "(*expiry, *_constraints(grant))", "expiry", _GRANT),
    "grant-equals-is-subset": (GRANTS, "if grant.equals:", "if False:", _GRANT),
    "grant-for-who-comes-later": (GRANTS, "return who.since_ms <= grant.created_ms if", "return True if", _GRANT),
    "grant-for-another-of-the-name": (GRANTS, "else who.since_ms == made_ms", "else True", _GRANT),
    "grant-for-anybody": (GRANTS, "or not meant", "", _GRANT),
    "re-encrypt-is-not-implied": (GRANTS, 'implied = ("ReEncrypt",)', "implied = ()", _GRANT),
    "retiring-needs-a-grant": (GRANTS, 'if operation == "RetireGrant" and', "if False and", _GRANT),
}


def put_wrong(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the comparison take the mutant for the engine."""
    module, right, wrong, places = MUTANTS[name]
    mutated = _mutated(module, right, wrong)
    for place, part in places:
        monkeypatch.setattr(place, part, getattr(mutated, part))


def _mutated(module: types.ModuleType, right: str, wrong: str) -> types.ModuleType:
    """The module again, with one part of it wrong; the one that is there stays as it is."""
    assert module.__file__ is not None
    text = Path(module.__file__).read_text()
    assert text.count(right) == 1, f"the mutant has to follow: {text.count(right)} times {right}"
    spec = importlib.util.spec_from_loader(f"{module.__name__}_mutated", None)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    made.__file__ = module.__file__
    sys.modules[made.__name__] = made  # dataclasses look their module up
    exec(compile(text.replace(right, wrong), module.__file__, "exec"), made.__dict__)  # our own source
    return made
