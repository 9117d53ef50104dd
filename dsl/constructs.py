"""Every construct of the language in one table: what it means, where it fires and where it does not.

The reference page is made from it, and tests run every example through `evaluate` and through the reference
interpreter, so what is documented is what happens. A rule or class that is added to the grammar fails a test until it
stands here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Construct:
    """One rule of the grammar, or one class.

    `fires` and `silent` are texts cut into tokens by `|`, the token in question between « and ». At it, `example`
    predicts `level` in the one and 0 in the other.
    """

    name: str
    meaning: str
    example: str
    fires: str
    silent: str
    level: float = 1.0


@dataclass(frozen=True, slots=True)
class Section:
    """Constructs that belong together on the reference page."""

    title: str
    introduction: str
    constructs: tuple[Construct, ...]


def tokens_of(text: str) -> tuple[tuple[str, ...], int]:
    """The tokens of an example text, and the index of the one in question.

    >>> tokens_of("Hot|« pizza»|.")
    (('Hot', ' pizza', '.'), 1)
    """
    pieces = text.split("|")
    (place,) = [index for index, piece in enumerate(pieces) if piece.startswith("«")]
    return tuple(piece[1:-1] if index == place else piece for index, piece in enumerate(pieces)), place


SECTIONS = (
    Section(
        "What an explanation says",
        "An explanation says at which tokens a feature fires, and how strongly. It looks back only, as the model does: "
        "what comes after a token never matters there.",
        (
            Construct(
                "start",
                "The whole of an explanation: `activates`, one or more levels, and what the feature promotes, if said.",
                'activates on the token " pizza" in the context of the word "crust"; promotes " slice"',
                "The| crust| of| a|« pizza»",
                "A|« pizza»| with| a| crust",
            ),
            Construct(
                "strong",
                "The feature fires at its maximum, 1.0. `on` and `strongly on` say the same; beside other levels the "
                "canonical text marks it.",
                'activates strongly on the token " yes"; weakly on the token " well"',
                "Oh|« yes»",
                "Oh|« no»",
            ),
            Construct(
                "moderate",
                "The feature fires at 0.6 of its maximum. This counts as predicted, as everything from 0.5 on does.",
                'activates strongly on the token " yes"; moderately on names',
                "Oh|« Anna»",
                "Oh|« dear»",
                0.6,
            ),
            Construct(
                "weak",
                "The feature fires at 0.3 of its maximum: below 0.5, so it weighs in graded scores only.",
                'activates strongly on the token " yes"; weakly on names',
                "Oh|« Anna»",
                "Oh|« dear»",
                0.3,
            ),
            Construct(
                "faint",
                "The feature fires at 0.1 of its maximum. Where several levels hold, the strongest counts.",
                "activates strongly on names; faintly on capitalised words",
                "The|« Alps»",
                "The|« hills»",
                0.1,
            ),
            Construct(
                "promotes",
                "The output side: tokens that the feature raises in the model's output. No part of what is predicted.",
                'activates on the word "thank"; promotes " goodness", " you"',
                "And|« thank»| you",
                "And| thank|« you»",
            ),
        ),
    ),
    Section(
        "Tokens",
        "A token's text counts as it is, its leading space and its case included.",
        (
            Construct(
                "tokens",
                "The token's text is exactly this, or exactly one of these.",
                'activates on the tokens " pasta", " pizza"',
                "Hot|« pizza»",
                "Hot|« Pizza»",
            ),
            Construct(
                "starting",
                "The token's text starts with this.",
                'activates on tokens starting with " un"',
                "It| is|« unfair»",
                "It| is| f|«un»",
            ),
            Construct(
                "ending",
                "The token's text ends with this.",
                'activates on tokens ending with "ing"',
                "She| is|« running»",
                "The|« ingot»",
            ),
            Construct(
                "containing",
                "The token's text contains this, somewhere.",
                'activates on tokens containing "zz"',
                "A|« pizza»",
                "A|« zoo»",
            ),
            Construct(
                "matching",
                "An RE2 regular expression is found in the token's text; `^` and `$` stand for its ends. A slash "
                r"inside is written `\/`.",
                r"activates on tokens matching /^ [A-Z]\w+$/",
                "In|« Paris»",
                "In|« a»",
            ),
            Construct(
                "any_token",
                "Every token.",
                "activates on any token inside brackets",
                "A| (|«b»",
                "«A»| (|b",
            ),
        ),
    ),
    Section(
        "Words",
        "Words are letters, marks and digits with apostrophes between them. They are found in the running text, over "
        "however many tokens: a word is matched at the token in which it ends. Case does not matter. A word ends as "
        "far as one can tell at the token, since what follows is not known yet.",
        (
            Construct(
                "words",
                "The word that ends here is this one, or one of these.",
                'activates on the words "pasta", "pizza"',
                "Hot| Piz|«za»",
                "Hot|« pizzas»",
            ),
            Construct(
                "phrase",
                "These words, in this order, end here; whatever is no part of a word may stand between.",
                'activates on the phrase "once upon a time"',
                "Once| upon| a|« time»",
                "Once| upon| the|« time»",
            ),
            Construct(
                "forms",
                "An inflection of the word ends here: one of the list.",
                'activates on any form of "run" ["ran", "run", "running", "runs"]',
                "She|« ran»",
                "A|« runner»",
            ),
            Construct(
                "like",
                "A word of the field of this word ends here: one of the list.",
                'activates on words like "red" ["crimson", "red", "scarlet"]',
                "A|« crimson»| sky",
                "A|« blue»| sky",
            ),
            Construct(
                "expansion",
                "The list that `any form of`, `words like` and `in text about` stand for. Canonical text always "
                "carries it, so that text alone can be run; where it is left out, a lexicon fills it in once, as "
                "it is read.",
                'activates on words like "cat" ["cat", "kitten"]',
                "A|« kitten»",
                "A|« tiger»",
            ),
        ),
    ),
    Section(
        "Classes",
        "Fixed classes, by characters or by closed lists of English words that ship with the program.",
        (
            Construct(
                "digits",
                "The token is decimal digits only, white space aside.",
                "activates on digits",
                "In|« 1984»",
                "In|« 1st»",
            ),
            Construct(
                "capitalised words",
                "A word ends whose first letter is a capital.",
                "activates on capitalised words",
                "In|« Paris»",
                "In|« town»",
            ),
            Construct(
                "upper-case words",
                "A word of at least two letters ends, all of them capitals.",
                "activates on upper-case words",
                "At|« NASA»",
                "«A»| cat",
            ),
            Construct(
                "punctuation",
                "The token is punctuation or symbols only, white space aside.",
                "activates on punctuation",
                "Oh|«!»",
                "Oh|« no»",
            ),
            Construct(
                "newlines",
                "The token holds a line break.",
                "activates on newlines",
                "End|.|«\n»",
                "End|«.»",
            ),
            Construct(
                "names",
                "A capitalised word ends that is in a list of English first names.",
                "activates on names",
                "Hello|« Lily»",
                "A|« lily»",
            ),
            Construct(
                "pronouns",
                "A pronoun ends.",
                "activates on pronouns",
                "And|« she»",
                "And|« shelter»",
            ),
            Construct(
                "articles",
                "An article ends: a, an, the.",
                "activates on articles",
                "In|« the»",
                "In|« this»",
            ),
            Construct(
                "prepositions",
                "A preposition ends.",
                "activates on prepositions",
                "She| sat|« under»",
                "She|« sat»",
            ),
            Construct(
                "conjunctions",
                "A conjunction ends.",
                "activates on conjunctions",
                "Salt|« and»",
                "Salt| and|« pepper»",
            ),
            Construct(
                "auxiliary verbs",
                "An auxiliary verb ends.",
                "activates on auxiliary verbs",
                "She|« would»",
                "She|« walked»",
            ),
            Construct(
                "number words",
                "A number written as a word ends.",
                "activates on number words",
                "Only|« seven»",
                "Only|« 7»",
            ),
            Construct(
                "question words",
                "A question word ends.",
                "activates on question words",
                "«Why»| not",
                "Why|« not»",
            ),
            Construct(
                "negations",
                "A word of negation ends.",
                "activates on negations",
                "I| do|n|'t|,| I|« never»",
                "I|« do»",
            ),
            Construct(
                "quotation marks",
                "The token is quotation marks only, white space aside.",
                "activates on quotation marks",
                'He| said|« "»',
                'He| said|« "No»',
            ),
            Construct(
                "brackets",
                "The token is brackets only, white space aside.",
                "activates on brackets",
                "A|« (»",
                "A|« (b»",
            ),
            Construct(
                "word_class",
                "Any of the classes above, by its name.",
                "activates on newlines or punctuation",
                "Yes|«,»",
                "Yes|« sir»",
            ),
        ),
    ),
    Section(
        "Position and repetition",
        "Positions count from 1 after the beginning-of-text token. Where a text's place in its document is not known, "
        "positions hold nowhere, and a sentence is known to start only after the end of another.",
        (
            Construct(
                "first_token",
                "The first token of the text.",
                "activates on the first token",
                "«Once»| upon",
                "Once|« upon»",
            ),
            Construct(
                "positions",
                "The token's position lies between these two, both included.",
                "activates on tokens 2 to 3",
                "Once|« upon»| a| time",
                "Once| upon| a|« time»",
            ),
            Construct(
                "sentence_start",
                "The token holds the first letter of a sentence: of the text, after a line break, or after a full "
                "stop, question mark or the like and white space.",
                "activates on the start of a sentence",
                "Yes|.|« She»| ran",
                "Yes|.| She|« ran»",
            ),
            Construct(
                "sentence_end",
                "The token holds a full stop, an exclamation mark, a question mark or an ellipsis.",
                "activates on the end of a sentence",
                "She| ran|«.»",
                "She| ran|«,»",
            ),
            Construct(
                "repeated",
                "The same token occurred before in this text.",
                "activates on a repeated token",
                "a| cat|,|« cat»",
                "a|« cat»|,| cat",
            ),
            Construct(
                "followed",
                "Earlier in this text, this same token came right after the token that is named.",
                'activates on a token that followed " Mrs" before',
                " Mrs| Hall| left|.|« Hall»",
                " Mrs|« Hall»| left",
            ),
        ),
    ),
    Section(
        "Conditions on what came before",
        "Conditions stand behind a phrase, and all of them must hold; their order means nothing. What they take is a "
        "single phrase, or a group in parentheses.",
        (
            Construct(
                "clause",
                "A phrase with conditions: it holds at the token, and each condition does.",
                'activates on digits inside brackets right after the token "$"',
                " (|$|«5»",
                "$|«5»",
            ),
            Construct(
                "right_after",
                "The anchor holds at the token before.",
                'activates on the token " pie" right after the token " pizza"',
                "A| pizza|« pie»",
                "A| pizza| and|« pie»",
            ),
            Construct(
                "within",
                "The anchor holds at one of the N tokens before; N runs from 1 to 99.",
                'activates on digits within 3 tokens after the word "room"',
                "Room| number|« 7»",
                "Room| with| a| view|,|« 7»",
            ),
            Construct(
                "context",
                "The same with N = 32.",
                'activates on the word "crust" in the context of the word "pizza"',
                "The| pizza| has| a|« crust»",
                "The|« crust»| of| a| pizza",
            ),
            Construct(
                "about",
                "Two different words of the list ended within the last 32 tokens, this one included.",
                'activates on names in text about "cooking" ["bake", "oven"]',
                "To| bake|,| the| oven|« Anna»",
                "To| bake|,| bake|« Anna»",
            ),
            Construct(
                "inside_quotation_marks",
                "The token has a character between quotation marks: after an opening one, before a closing one or the "
                "end of the line.",
                "activates on names inside quotation marks",
                'She| said| "|«Anna»',
                "She| saw|« Anna»",
            ),
            Construct(
                "inside_brackets",
                "The token has a character between brackets: round, square or curly.",
                "activates on digits inside brackets",
                "Smith| (|«1984»",
                "Smith|,|« 1984»",
            ),
        ),
    ),
    Section(
        "Combinations",
        "From tightest to loosest: conditions, `not`, `and`, `or`, `except`. Parentheses make groups; one `except` a "
        "group.",
        (
            Construct(
                "negation",
                "What follows does not hold.",
                'activates on not a repeated token and the token " a"',
                "In|« a»",
                "In| a| box|,|« a»",
            ),
            Construct(
                "conjunction",
                "All hold, at the same token.",
                'activates on capitalised words and tokens ending with "s"',
                "In|« Texas»",
                "In|« Rome»",
            ),
            Construct(
                "union",
                "One or more hold.",
                "activates on digits or number words",
                "Only|« seven»",
                "Only|« some»",
            ),
            Construct(
                "exclusion",
                "The first holds and the second does not.",
                "activates on capitalised words except the start of a sentence",
                "The|« Alps»",
                "«The»| Alps",
            ),
        ),
    ),
)
"""Rules and classes in the order of the reference page."""

CONSTRUCTS = {construct.name: construct for section in SECTIONS for construct in section.constructs}
