"""The classes of the language: closed lists and character tests, each written out here, none learnt.

Classes of tokens look at the token's text without white space around it. Classes of words look at the word that ends
at a token, ignoring case unless case is what the class is about.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import assert_never

from dsl.nodes import ClassName, fold

Test = Callable[[str], bool]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


QUOTATION_MARKS = frozenset("\"'“”‘’„‚‟‛«»‹›")  # noqa: RUF001
BRACKETS = frozenset("()[]{}")

PRONOUNS = _set("""
    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself it its itself
    we us our ours ourselves they them their theirs themselves this that these those who whom whose which what
    someone somebody something anyone anybody anything everyone everybody everything nobody nothing oneself
""")
ARTICLES = frozenset(("a", "an", "the"))
PREPOSITIONS = _set("""
    about above across after against along alongside amid among amongst around as at atop before behind below beneath
    beside besides between beyond by concerning considering despite down during except following for from in inside
    into like minus near of off on onto opposite out outside over past per plus regarding round since than through
    throughout till to toward towards under underneath unlike until up upon versus via with within without
""")
CONJUNCTIONS = _set("""
    and but or nor for yet so although though because since unless until till while whilst whereas if whether when
    whenever where wherever before after once as than that lest provided
""")
AUXILIARY_VERBS = _set("""
    am is are was were be been being have has had having do does did doing done will would shall should can could may
    might must ought need dare used
""")
NUMBER_WORDS = _set("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion
    dozen hundreds thousands millions billions trillions dozens first second third fourth fifth sixth seventh eighth
    ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
    thirtieth fortieth fiftieth hundredth thousandth millionth once twice thrice half
""")
QUESTION_WORDS = _set(
    "who whom whose what which when where why how whoever whatever whichever whenever wherever however"
)
NEGATIONS = _set("""
    not no never none nobody nothing nowhere neither nor cannot without
    ain't aren't can't couldn't daren't didn't doesn't don't hadn't hasn't haven't isn't mayn't mightn't mustn't needn't
    oughtn't shan't shouldn't wasn't weren't won't wouldn't
""")
NAMES = _set("""
    aaron abby abigail adam adele adrian agnes aisha alan albert alex alexander alexandra alfie alfred ali alice alicia
    alison amanda amber amelia amir amy ana andrea andrew andy angela angelina anita ann anna anne annie anthony antonio
    archie aria ariel arthur asher ashley aubrey audrey aurora austin ava avery barbara barry beatrice becky bella ben
    benjamin benny bernard bert bertie beth betsy betty beverly bill billy bob bobby bonnie brad bradley brandon brenda
    brian bridget bruce bruno bryan caleb callum calvin cameron camila carl carla carlos carmen carol caroline carolyn
    carrie carter casey catherine cecilia charles charlie charlotte chloe chris christian christina christine
    christopher cindy claire clara clare clark claudia colin connie connor craig cynthia daisy dan dana daniel danielle
    danny daphne darren dave david dean debbie deborah dennis derek diana diane dick diego dina dolores dominic don
    donald donna dora doris dorothy doug douglas dylan ed eddie edgar edith edmund edna eduardo edward edwin eileen
    elaine eleanor elena eli elias elijah elizabeth ella ellen ellie elliot elsa elsie emil emilia emily emma eric erica
    erik erin ernest ethan eugene eva evan eve evelyn ezra faith felix fiona flora florence frances francis frank
    frankie fred freddie freddy frederick freya gabriel gabriella gail gary gavin gemma gene george georgia georgie
    gerald gina gloria gordon grace gracie graham greg gregory greta gus gwen hannah harold harriet harry harvey
    hazel heather heidi helen helena henry herbert holly howard hugh hugo ian ida imogen ines irene iris isaac
    isabel isabella isabelle isla ivan ivy jack jackie jackson jacob jade jake james jamie jan jane janet janice jared
    jasmine jason jay jean jeff jeffrey jen jenna jennifer jenny jeremy jerry jess jesse jessica jessie jill jim jimmy
    jo joan joanna joanne joe joel joey johanna john johnny jon jonah jonathan jordan jorge jose joseph josephine josh
    joshua josie joy joyce juan juanita judith judy julia julian julie juliet justin kai karen karl kate katherine
    kathleen kathy katie katy kay keith kelly ken kenneth kenny kevin kim kimberly kirsten kitty kyle lara larry laura
    lauren laurie layla lea leah lee lena leo leon leonard leslie lewis liam lila lillian lily lina linda lisa liz lizzy
    logan lola lois loretta lori lorraine louis louisa louise luca lucas lucia lucille lucy luis luke luna lydia lynn
    mabel mackenzie maddie madeline madison maggie malcolm mandy marcia marco marcus margaret margot maria marian marie
    marilyn mario marion mark marlene marsha martha martin marvin mary mason matilda matt matteo matthew maureen maurice
    max maxine maya megan melanie melissa melvin mia michael michelle miguel mike mila mildred miles millie milo mimi
    mindy miranda miriam mitchell mohamed mohammed molly mona monica morgan muhammad muriel myra nadia nancy naomi
    natalia natalie natasha nathan nathaniel ned neil nell nellie nelson nia nicholas nick nicky nicola nicole nigel
    nina noah noel nora norma norman olga oliver olivia ollie omar oscar otto owen paddy paige pam pamela pat patricia
    patrick patty paul paula pauline pearl pedro peggy penelope penny percy perry pete peter phil philip phillip phoebe
    phyllis pierre pip polly poppy priya quentin quinn rachel ralph ramon randy raul ray raymond rebecca reggie renee
    rex rhonda ricardo richard rick ricky rita rob robbie robert roberta roberto robin rocky roger roland ron ronald
    ronnie rosa rosalie rose rosemary rosie ross roy ruby rupert russell ruth ryan sabrina sadie sally sam samantha sami
    sammy samuel sandra sandy sara sarah sasha saul scarlett scott sean sebastian sergio seth shane shannon sharon
    shaun shawn sheila shelley sherry shirley sid sidney simon sofia sonia sophia sophie spencer stacey stan stanley
    stella stephanie stephen steve steven stevie stuart sue susan susie suzanne sybil sylvia tabitha tamara tami
    tammy tania tanya tara ted teddy teresa terry tess tessa thelma theo theodore theresa thomas tiffany tim timmy
    timothy tina toby todd tom tommy toni tony tracy trevor trina tristan tyler ursula valerie vanessa vera vernon
    veronica vicky victor victoria vince vincent viola violet virginia vivian wade wallace walter wanda warren wayne
    wendy wesley willa william willie willow wilma winnie xavier yasmin yolanda yuki yvonne zach zachary zack zara
    zoe zoey
""")


def token_class(name: ClassName) -> Test | None:
    """The test of a token's text that a class of tokens is; None for classes of words.

    >>> token_class("digits")(" 42"), token_class("names")
    (True, None)
    """
    match name:
        case "digits":
            return _is_digits
        case "punctuation":
            return _is_punctuation
        case "newlines":
            return _has_newline
        case "quotation marks":
            return _is_quotation_marks
        case "brackets":
            return _is_brackets
        case _:
            return None


def word_class(name: ClassName) -> Test | None:
    """The test of a word, its case as written, that a class of words is; None for classes of tokens.

    >>> word_class("names")("Lily"), word_class("names")("lily"), word_class("digits")
    (True, False, None)
    """
    match name:
        case "capitalised words":
            return _is_capitalised
        case "upper-case words":
            return _is_upper_case
        case "names":
            return _is_name
        case "pronouns" | "articles" | "prepositions" | "conjunctions" | "auxiliary verbs":
            return _LISTED[name]
        case "number words" | "question words" | "negations":
            return _LISTED[name]
        case "digits" | "punctuation" | "newlines" | "quotation marks" | "brackets":
            return None
    assert_never(name)


def _listed(words: frozenset[str]) -> Test:
    return lambda word: fold(word.replace("\u2019", "'")) in words


_LISTED: dict[ClassName, Test] = {
    "pronouns": _listed(PRONOUNS),
    "articles": _listed(ARTICLES),
    "prepositions": _listed(PREPOSITIONS),
    "conjunctions": _listed(CONJUNCTIONS),
    "auxiliary verbs": _listed(AUXILIARY_VERBS),
    "number words": _listed(NUMBER_WORDS),
    "question words": _listed(QUESTION_WORDS),
    "negations": _listed(NEGATIONS),
}


def _all(text: str, holds: Test) -> bool:
    stripped = text.strip()
    return bool(stripped) and all(map(holds, stripped))


def _is_digits(text: str) -> bool:
    return _all(text, str.isdecimal)


def _is_punctuation(text: str) -> bool:
    return _all(text, lambda character: unicodedata.category(character)[0] in "PS")


def _has_newline(text: str) -> bool:
    return "\n" in text


def _is_quotation_marks(text: str) -> bool:
    return _all(text, QUOTATION_MARKS.__contains__)


def _is_brackets(text: str) -> bool:
    return _all(text, BRACKETS.__contains__)


def _is_capitalised(word: str) -> bool:
    """Upper case (or title case, as in the ligature Dž) at the front."""
    return unicodedata.category(word[0]) in ("Lu", "Lt")


def _is_upper_case(word: str) -> bool:
    letters = [category for category in map(unicodedata.category, word) if category[0] == "L"]
    return len(letters) >= 2 and all(category == "Lu" for category in letters)


def _is_name(word: str) -> bool:
    return _is_capitalised(word) and fold(word) in NAMES
