"""The ladder: the surest step that finds an account decides, unless something that is known for certain speaks against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rapidfuzz import fuzz

from services.router.domain.account import Account
from services.router.domain.matching.keys import Asked, Key, block_keys, exact_keys, name_key, names_of
from services.router.domain.matching.result import MOST_CANDIDATES, ByName, Candidate, Code, Matched, Why
from services.router.domain.matching.ties import Choice, choose
from shared.normalise.company import legal_form

THRESHOLD = 90  # of 100, rapidfuzz's ratio: below it two names are two names
MARGIN = 4  # of 100, by which the likest name has to be liker than that of any other firm
SHORTEST = 6  # characters of a name that may be compared by likeness
NAMED_ALIKE = 60  # of 100: a phone number proves nothing about a firm of a wholly different name
SURE_ALONE = 3  # characters of a name that may be found by its country alone


class Found:
    """What the store found for the keys of leads. accounts: those, and their whole families;  families: the same by root"""

    def __init__(
        self, by_key: Mapping[Key, Sequence[str]] | None = None, accounts: Mapping[str, Account] | None = None
    ) -> None:
        self.by_key, self.accounts = by_key or {}, accounts or {}
        self.families: dict[str, list[Account]] = {}
        for account in self.accounts.values():
            self.families.setdefault(account.root, []).append(account)

    def under(self, keys: Iterable[Key]) -> list[Account]:
        ids = dict.fromkeys(account for key in keys for account in self.by_key.get(key, ()))
        return [self.accounts[one] for one in ids if one in self.accounts]


def match(lead: Asked, found: Found) -> Matched:
    """The account of a lead. A function of what it tells and of what was found, whatever the order that came in."""
    return _Ladder(lead, found).climb()


class _Ladder:
    def __init__(self, lead: Asked, found: Found) -> None:
        self._lead, self._found = lead, found
        self._seen: dict[str, Candidate] = {}
        self._ambiguous = False
        self._name = name_key(lead.firm or lead.company or "")
        self._names = {name_key(name) for name in (lead.firm, lead.company) if name}

    def climb(self) -> Matched:
        for code, accounts in self._steps():
            choice = choose(self._lead, accounts, self._found, sure=code in _SURE)
            if choice is None:
                continue
            if choice.account is None:
                self._ambiguous = True
                self._note(accounts, code, "ambiguous")
                continue
            return self._matched(choice, code, accounts)
        return Matched(ambiguous=self._ambiguous, no_domain=self._lead.no_domain, candidates=self._candidates())

    def _matched(self, choice: Choice, code: Code, accounts: Sequence[Account]) -> Matched:
        taken = choice.account
        assert taken is not None
        self._note(accounts, code, "weaker")
        earlier = self._seen.pop(taken.account_id, None)
        likeness = earlier.likeness if earlier and code == "fuzzy" else None
        chosen = Candidate(taken.account_id, taken.name, code, None, likeness)
        return Matched(
            taken.account_id,
            code,
            choice.tie,
            self._by_name(taken) if code in ("name_prefecture", "name_country") else None,
            no_domain=self._lead.no_domain,
            candidates=(chosen, *self._candidates())[:MOST_CANDIDATES],
        )

    def _by_name(self, account: Account) -> ByName | None:
        kinds = {which for which, name in self._named(account) if name_key(name) in self._names}
        others: tuple[ByName, ...] = ("former", "kana", "other")
        return None if "present" in kinds else next((which for which in others if which in kinds), None)

    def _candidates(self) -> tuple[Candidate, ...]:
        return tuple(self._seen.values())[:MOST_CANDIDATES]

    def _note(self, accounts: Iterable[Account], code: Code, why: Why, likeness: int | None = None) -> None:
        for account in accounts:
            if account.account_id not in self._seen:
                self._seen[account.account_id] = Candidate(account.account_id, account.name, code, why, likeness)

    def _steps(self) -> Iterator[tuple[Code, list[Account]]]:
        lead, found = self._lead, self._found
        if lead.account_id:
            yield "account_id", found.under([("id", lead.account_id)])
        numbered = found.under([("number", lead.corporate_number)]) if lead.corporate_number else []
        if lead.domain:
            at = found.under([("domain", lead.domain)])
            # The number names one legal entity; a domain may be shared by a group.
            if numbered and not {one.root for one in at} & {one.root for one in numbered}:
                self._note(at, "domain", "corporate_number_differs")
                at = []
            primary = [one for one in at if one.domains and one.domains[0] == lead.domain]
            yield ("domain", at) if primary else ("alias_domain", at)
        yield "corporate_number", numbered
        yield from self._by_names()
        if lead.phone:
            yield "phone", [one for one in found.under([("phone", lead.phone)]) if self._may_be(one, "phone")]
        yield "fuzzy", self._alike()

    def _by_names(self) -> Iterator[tuple[Code, list[Account]]]:
        named = self._found.under([("name", key) for key in sorted(self._names)])
        here, anywhere = [], []
        for account in named:
            code: Code = "name_prefecture"
            if self._against(account, code):
                continue
            places = self._places(account)
            if self._lead.area and self._lead.area in places:
                here.append(account)
            elif self._lead.area and places and self._lead.site is None:
                self._note([account], code, "prefecture_differs")
            else:
                anywhere.append(account)
        yield "name_prefecture", here
        if here:
            self._note(anywhere, "name_country", "weaker")
            return
        sure = []
        for account in anywhere:
            if not self._lead.country or not account.country or len(self._name) < SURE_ALONE:
                self._note([account], "name_country", "place_unknown")
            else:
                sure.append(account)
        # Another of the same name, though in another prefecture or country, and nothing tells which: neither.
        firms = {one.root for one in named if one.country in (None, self._lead.country)}
        if self._lead.area is None and len(firms) > 1:
            self._ambiguous = self._ambiguous or bool(sure)
            self._note(sure, "name_country", "ambiguous")
            return
        yield "name_country", sure

    def _places(self, account: Account) -> set[str]:
        """Where the firm is: its own prefecture, and those of its sites."""
        family = self._found.families[account.root]
        return {one.area for one in family if one.area and account.account_id in (one.account_id, one.entity)}

    def _against(self, account: Account, code: Code) -> bool:
        """Whether something that is known for certain says that this is another firm; noted, if so."""
        lead = self._lead
        why: Why | None = None
        number = self._number(account)
        form, theirs = legal_form(lead.company or ""), {legal_form(name) for _, name in self._named(account)} - {None}
        if lead.corporate_number and number and lead.corporate_number != number:
            why = "corporate_number_differs"
        elif lead.country and account.country and lead.country != account.country:
            why = "country_differs"
        elif form and theirs and form not in theirs:
            why = "legal_form_differs"
        elif lead.domain and account.domains and not self._same_label(account):
            why = "domain_differs"
        if why:
            self._note([account], code, why)
        return why is not None

    def _number(self, account: Account) -> str | None:
        entity = self._found.accounts.get(account.entity)
        return account.corporate_number or (entity.corporate_number if entity else None)

    def _same_label(self, account: Account) -> bool:
        """Whether its domains are called as the lead's is: hinode.com and hinode.co.jp."""
        label = (self._lead.domain or "").partition(".")[0]
        return label in {domain.partition(".")[0] for domain in account.domains}

    def _may_be(self, account: Account, code: Code) -> bool:
        """Whether a phone number's firm may be the one that was named."""
        if self._against(account, code):
            return False
        if self._name and not any(self._alike_or_part(name_key(name)) for _, name in self._named(account)):
            self._note([account], code, "name_differs")
            return False
        return True

    def _named(self, account: Account) -> list[tuple[str, str]]:
        return list(names_of(account, self._found.accounts.get(account.parent or "")))

    def _alike_or_part(self, name: str) -> bool:
        """Whether what was typed may stand for a name: it is like it, or one begins as the other: `Rio` for Rio Verde."""
        shorter, longer = sorted((self._name, name), key=len)
        return longer.startswith(shorter) or fuzz.ratio(shorter, longer) >= NAMED_ALIKE

    def _alike(self) -> list[Account]:
        """Accounts in the same prefecture or state, by their keys, whose names are nearly the same."""
        alike: list[tuple[int, Account]] = []
        if len(self._name) < SHORTEST:
            return []
        for account in self._found.under(block_keys(self._lead)):
            likeness = max((nearness(self._name, name_key(name)) for _, name in self._named(account)), default=0)
            if likeness < THRESHOLD:
                if likeness > NAMED_ALIKE:
                    self._note([account], "fuzzy", "too_far", likeness)
                continue
            if self._against(account, "fuzzy"):
                continue
            alike.append((likeness, account))
        best = max((likeness for likeness, _ in alike), default=0)
        for likeness, account in alike:
            self._seen.setdefault(
                account.account_id, Candidate(account.account_id, account.name, "fuzzy", "weaker", likeness)
            )
        return [account for likeness, account in alike if likeness > best - MARGIN]


_SURE = frozenset({"account_id", "domain", "alias_domain", "corporate_number"})


def nearness(one: str, other: str) -> int:
    """How alike two name keys are, of 100; 0 where they differ in an ideograph or a digit.

    山田製作所 and 山口製作所 are two firms, and 第一 is not 第二: only kana and letters are typed wrongly without meaning
    something else. Two of 90 and more of the shortest length that counts differ in one letter left out, or one in ten.
    """
    if min(len(one), len(other)) < SHORTEST or _fixed(one) != _fixed(other):
        return 0
    return int(fuzz.ratio(one, other))


def _fixed(key: str) -> str:
    return "".join(char for char in key if char.isdigit() or "㐀" <= char <= "鿿" or char >= "\U00020000")


def wanted_keys(leads: Iterable[Asked]) -> list[Key]:
    """The keys of all steps but the fuzzy one, each once."""
    return list(dict.fromkeys(key for lead in leads for key in exact_keys(lead)))
