"""What a message does in the conversation: agrees, refuses, asks for a person, says goodbye... English for now."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from bots.understand.text import fold

ACTS = (
    "yes no change cancel stop human repeat bye thanks greet restart alternatives dont_know dont_care acknowledge "
    "question are_you_a_robot upset back"
).split()


_FEW = 2  # words of a mere answer
_ANSWERS = frozenset({"yes", "no", "repeat", "bye", "thanks", "greet", "dont_know", "dont_care", "acknowledge"})
# What a wish for a person is made of, and nothing else in it.
_MERE = frozenset(
    "a an the any is are do does you your there this i id im we me my can could may might will would like want wanna need"
    " to talk talking speak speaking chat with be get put through connect connected transfer transferred let give now right"
    " just please hi hello hey ok okay yes no not bot robot machine real live actual human humans person people agent"
    " operator representative rep someone somebody anyone anybody else staff team member customer service support of in"
    " for at instead here".split()
)


@lru_cache(maxsize=64)  # a message is asked about again and again
def acts(text: str, prev: str | None = None) -> frozenset[str]:
    """Every act in `text`, out of `ACTS`; empty when it only gives information.

    `prev` is what the bot said last. It settles what the words alone cannot: a change of something the bot
    wanted confirmed is also a no, and "great" after an offer is a yes.
    """
    said = simplify(text)
    found = {act for act, rule in _RULES.items() if rule.holds(said)}
    answer = verdict(said)
    if answer is not None:
        found.add("yes" if answer else "no")
    _settle(found, said, prev)
    return frozenset(found)


def says_what(text: str) -> bool:
    """Whether a message says what it is about, and not only that a person is wanted, yes or no, hello, or a number."""
    said = simplify(text)
    if not any(not word.isdecimal() and word not in _MERE for word in said.words):
        return False
    return len(said.words) > _FEW or not acts(text) & _ANSWERS


class Said(NamedTuple):
    """A message without case, apostrophes and punctuation; `line` has a space at both ends."""

    line: str
    words: frozenset[str]
    asks: bool  # a question mark was typed


def simplify(text: str) -> Said:
    """The message as the rules see it: `That's it!` is ` thats it `; thumbs and ticks become words."""
    folded = fold(text).text.replace("'", "")
    if not folded.isascii():
        for sign, word in _SIGNS.items():
            folded = folded.replace(sign, word)
    words = _WORDS.findall(folded)
    return Said(f" {' '.join(words)} ", frozenset(words), "?" in folded)


def verdict(said: Said) -> bool | None:
    """Yes, no, or neither; of several the first counts, so that "no, that's fine" stays a no."""
    yes, no = _YES.find(said), _NO.find(said)
    if yes is None and no is None:
        return None
    if yes is not None and no is not None:
        return yes < no
    return yes is not None


def _settle(found: set[str], said: Said, prev: str | None) -> None:
    """Takes back and adds what one rule alone cannot see: other acts in the message, and what was asked."""
    if "human" in found and _NOT_HUMAN.search(said.line):
        found.discard("human")
    if "alternatives" in found:
        found -= {"alternatives"} if _NOTHING_ELSE.search(said.line) else {"question"}
        if not _CHANGES_A_BOOKING.search(said.line):
            found.discard("change")  # "no, show me another" has nothing to change yet
    if "dont_care" in found:
        found -= {"dont_know"} if _NO_FIRST.search(said.line) else {"dont_know", "no"}
    if "repeat" in found:
        found.discard("no")
    if "stop" in found or ("cancel" in found and _JUST_CANCEL.search(said.line)):
        found |= {"stop", "cancel"}
    if prev is not None:
        _settle_by_question(found, said, prev)


def _settle_by_question(found: set[str], said: Said, prev: str) -> None:
    confirms = _CONFIRMS.search(prev) is not None
    wants_value = not confirms and _OPEN_QUESTION.search(_asked(prev)) is not None
    if _MORE_HELP.search(prev):
        if "bye" in found or _NOTHING.search(said.line):
            found.add("no")
        if "no" in found and not _GOODBYE.search(said.line):
            found.discard("bye")  # "no, that's all" answers the question; the goodbye may still come
        return
    if wants_value:
        if not _YES_FIRST.search(said.line):
            found.discard("yes")  # "noon would be great" names a time
        if not _CHANGE_OUTRIGHT.search(said.line):
            found.discard("change")  # "make it two" answers "what time?"
        return
    soft = _SOFT_YES.search(said.line)
    takes_up = _OFFERS_BOOKING.search(prev) and _BOOKS.search(said.line) and not found & {"no", "change"}
    if soft and not confirms and _DONE.search(prev) and "?" not in prev:
        found.discard("yes")  # "great, thanks" on hearing that it is booked
    elif (soft and "no" not in found and confirms) or takes_up:
        found.add("yes")
    failed = _FAILED.search(prev) is not None
    if "yes" in found and not confirms and _YES_FIRST.search(said.line):
        found.discard("change")  # "yes, make it three" takes up an offer
    if confirms and not found & {"yes", "no", "question"} and _NEW_VALUE.search(said.line):
        found.add("change")  # "four people", said of a booking for two
    if "no" in found and _NEW_VALUE.search(said.line) and not found & {"thanks", "bye", "alternatives"} and not failed:
        found.add("change")
    if "change" in found and "yes" not in found and not failed:
        found.add("no")


def _asked(prev: str) -> str:
    """The last question in what the bot said, or all of it when none is marked as one."""
    end = prev.rfind("?")
    if end < 0:
        return prev
    return prev[1 + max(prev.rfind(sign, 0, end) for sign in ".!?\n") : end]


class _Rule:
    """Ways of saying one thing, over the simplified line; tried only when one of the trigger words was said."""

    def __init__(self, triggers: str, *ways: str) -> None:
        self._triggers = frozenset(triggers.split())
        self._pattern = re.compile("|".join(ways))

    def holds(self, said: Said) -> bool:
        return self.find(said) is not None

    def find(self, said: Said) -> int | None:
        """Where the pattern begins in the line."""
        if self._triggers.isdisjoint(said.words):
            return None
        found = self._pattern.search(said.line)
        return found.start() if found else None


_WORDS = re.compile(r"[^\W_]+")
_SIGNS = {
    "\U0001f44d": " yes ", "\u2705": " yes ", "\u2714": " yes ", "\U0001f44c": " yes ", "\U0001f44e": " no ",
    "\u274c": " no ", "\U0001f64f": " thanks ", "\U0001f44b": " hello ",
}  # fmt: skip
_CONFIRMS = re.compile(r"(?i)\b(?:confirm|correct|right|is (?:that|this|it) (?:ok|fine|good)|sound|okay|verify)\b")
_OPEN_QUESTION = re.compile(
    r"(?i)\b(?:what|which|when|where|how many|who|whom)\b(?! about)|\bany (?:prefer|particular|specific)|\bin mind\b"
)
_MORE_HELP = re.compile(
    r"(?i)\b(?:anything|something|any) (?:else|more|further)|\b(?:else|more|further|other) (?:help|assist|can i|you)|"
    r"\b(?:help|assist)\b.{0,20}\b(?:else|more|further)|\bfurther assist|\belse\b"
)
_OFFERS_BOOKING = re.compile(
    r"(?i)\b(?:want|like|wish|shall|should|need|whether|ready|about)\b.{0,40}\b(?:book|reserv|appointment|schedule|"
    r"visit)"
)
_DONE = re.compile(
    r"(?i)\b(?:booked|confirmed|successful|successfully|made|done|reserved|scheduled|set|reach|located)\b"
)
_FAILED = re.compile(r"(?i)\b(?:couldn't|could not|unable|wasn't able|failed|sorry|apologi[sz]e|unfortunately|oops)\b")
_SOFT_YES = re.compile(
    r"^ (?:ok|okay|okey|alright|fine|perfect|great|good|right|excellent|wonderful|lovely|super|awesome|cool|all good) "
)
_YES_FIRST = re.compile(r"^ (?:yes|yeah|yep|yup|sure|correct|right|ok|okay) ")
_NO_FIRST = re.compile(r"^ (?:no|nope|nah) ")
_CHANGE_OUTRIGHT = re.compile(r" (?:chang\w+|reschedul\w+|actually|instead|meant|switch|move|modify|second thoughts?) ")
_CHANGES_A_BOOKING = re.compile(r" (?:chang\w+|reschedul\w+|move|postpone|swap|switch) ")
_JUST_CANCEL = re.compile(r" cancel (?:it |that |this |everything )?(?:please )?$")
_NOTHING = re.compile(
    r"^ (?:oh |um )?(?:nothing|none|not (?:for|right|at|anything)|for now|im (?:good|fine|all)|i am (?:good|fine|all)) "
)
_GOODBYE = re.compile(r" (?:goodbye|good bye|see you|farewell|have a) ")
_BOOKS = re.compile(
    r" (?:make|book|reserve|schedule|set|get|plan)(?: up)? (?:me |us )?(?:an?|the|it|my|one|this|that|there) "
    r"(?:\w+ ){0,3}?"
    r"(?:appointment|reservation|table|visit|booking|there|for|pm|am)?"
)
_NEW_VALUE = re.compile(
    r" (?:\d+\w*|(?:mon|tues|wednes|thurs|fri|satur|sun)day|tomorrow|today|noon|morning|afternoon|evening|"
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|am|pm|people|person) "
)
_NOT_HUMAN = re.compile(
    r" (?:dont|do not|no) (?:need|want) (?:you )?(?:to )?(?:transfer|talk|speak|connect|a human|a person) "
    r"(?!to you|with you|to a (?:bot|robot|machine))"
)
_NOTHING_ELSE = re.compile(
    r" (?:nothing|(?:not|dont) (?:\w+ ){0,4}anything|no one|nobody|check something|some other time) ?(?:else )?"
)

# "No" said outright or as a judgement. `no problem`, `no idea` and their like are something else.
_NO = _Rule(
    "another cannot cant decline didnt disagree doesnt dont false hardly inaccurate incorrect isnt later messed mistaken "
    "n nah naw nay negative neither never no nope not pass refuse unnecessary untrue wasnt wont wouldnt wrong wrongly",
    r"^ (?:(?:oh|um|uh|well|sorry|hmm+|ah|ok|okay|actually|hi|hello|thanks|thank you|but|so) )*(?:n|no|nope|nah|"
    r"naw|nay|negative|false|wrong|incorrect|never|noo+|neither) (?!(?:problem|problems|issues?|worries|worry|"
    r"doubt|idea|clue|preference|matter|one in|rush|hurry|longer|more than|questions?) )",
    r" (?:would be|is|its|thats|say|said|answer is|got it) (?:a |all |just |so |most |completely |totally |definitely "
    r"|absolutely |quite )*(?:no|nope|negative|incorrect|wrong|false|untrue|inaccurate|mistaken) ",
    r" you (?:[a-z]+ )?(?:[a-z]+ )?(?:messed|understood (?:this|that|it|me) wrong\w*|did(?:nt| not) "
    r"(?:[a-z]+ ){1,6}right) ",
    r"^ (?:no )?(?:ill|i will) pass |^ not happening ",
    r" (?:not|isnt|wasnt|thats not|cant be) (?:quite |really |entirely |the |a )?(?:right|correct|true|at all|yet|"
    r"now|today|necessary|"
    r"needed|interested|really|at the moment|at this|just yet|good|what i|exactly|like that|so|for me|the one|it) ",
    r" (?:do not|dont|wouldnt|would not|didnt|did not) (?:really |actually )?(?:(?:want|like|think so|agree|bother|"
    r"wish|book|do it|do that|believe so|prefer|ask) (?!any other)|need (?:to|it|one|an?) (?!(?:[a-z]+ )"
    r"{1,3}any ?more))",
    r" (?:that|it|this|which|time|one|day|date|slot|just|still|and|they) (?:really |just |also )?(?:does not|"
    r"doesnt|wont|will not|wouldnt|would not|cant|cannot) (?:really |quite )?(?:work|do|suit|be necessary|"
    r"be needed) ",
    r" (?:id|i would) (?:rather|prefer) not ",
    r"^ (?:(?:maybe|perhaps|possibly|probably) )?(?:later|(?:at )?(?:another|a later|some other) time) ",
    r" (?:i disagree|absolutely not|of course not|certainly not|definitely not|i (?:refuse|decline)|no thanks?|"
    r"no thank you|prefer not) ",
    r" no $",
)

_YES = _Rule(
    "absolutely accept acceptable accurate affirm affirmative agree agreed ahead alright amazing approve approved "
    "awesome book certainly confirm confirmed cool correct course deal definitely do exactly excellent fantastic fine "
    "good great happy indeed it k kk lets like love lovely ofcourse ok okay okey one perfect please proceed right roll "
    "seem seems sound sounds splendid suit suits super sure take think totally true try what why wonderful work works y "
    "ya ye yea yeah yeap yeh yep yes yess yup",
    r"^ (?:(?:oh|um|uh|well|hmm+|ah|hi|hello|thanks|thank you|actually|and|great|ok|okay) )*(?:yes+|yeah|yea|yep|"
    r"yup|ya|yeh|y|ye|yeap|sure|correct|absolutely|definitely|of course|ofcourse|exactly|indeed|affirmative|"
    r"certainly|agreed|totally|confirm(?:ed)?|approved?|proceed|all right|k|kk|deal|very true|true|precisely) (?!not )",
    r"^ (?:its |is |this is |it is )?(?:ok|okay|okey|alright|all right|fine|perfect|great|good|right|excellent|"
    r"wonderful|lovely|super|awesome|cool|fantastic|amazing) (?:$|thanks?|thank|that|this|it|lets|go|book|sounds?|"
    r"please|do|i|yes|one|job|for|by|with|"
    r"bye|see|fine|then)",
    r" (?:(?:that|this|it|they|which|all|everything|time|one|[a-z]{3,12}) )?(?:sounds?|seems?|looks?) (?:really |"
    r"very |quite |just |so |all )?(?:good|great|perfect|fine|right|correct|nice|wonderful|excellent|lovely|ok|"
    r"okay|awesome|amazing|fantastic|like (?:a plan|what)) ",
    r" (?:thats|that is|this is|its|it is|thatll be|(?:that|this|it|which) (?:one )?(?:will|would|should) (?:also )"
    r"?be|^ (?:would|will) be|(?:that|this|it|which|everything|all|they|those|details) (?:[a-z]+ )?(?:is|are|be))"
    r" (?:just |all |absolutely |really |very |totally |so |also |indeed |definitely |a )*(?:good|great|perfect|"
    r"fine|right|correct|true|ok|okay|nice|wonderful|excellent|awesome|exactly|affirmative|yes|what i (?:want|need|"
    r"like)|acceptable|agreeable|lovely|accurate|splendid|ideal|suitable|it exactly|the one) (?!(?:for|to|in|at|on)"
    r" the |way)",
    r" (?:that|it|this|they|which|one|time|day|date|everything) (?:also )?(?:works?|suits?|will work|should work|"
    r"would work|can work|will do|should do|would do) (?!with)",
    r"^ (?:works?|suits|will do|please|go for it|(?:book|try) (?:it|that|this)) (?:please )?$",
    r"^ works (?:for|with) ",
    r" (?:please do|please (?:proceed|confirm)|go ahead|do it|do that|lets (?:do|go with|try|book) (?:it|that|this|"
    r"them)|lets go ahead|"
    r"(?:please|yes|can you|ok) (?:try|do|book) (?:it|that|them|this)|"
    r"i approve|you (?:are|got it) (?:right|correct)|youre (?:right|correct)|a definite yes|answer is yes|ok try it|"
    r"thats what i (?:want|need)|ill roll with|i (?:do|agree|confirm|think so|believe so|accept|like (?:it|that|"
    r"them|the sound))|id (?:love|like) (?:that|to try|it)|i would (?:love|like) (?:that|to try|it|to go there)|"
    r"why not|count me in|my answer is yes|ill take (?:it|that|this)|i will take (?:it|that|this)|make it so|"
    r"strongly agree|can we please) (?!(?:at|for|on|in|again) )",
)

_RULES: Mapping[str, _Rule] = {
    "thanks": _Rule(
        "appreciate appreciated cheers grateful gratitude obliged thank thankful thanks thankyou thanx thnx thx tks ty tysm",
        r" (?:thank(?:s|you|ful)?|thx|tks|thnx|thanx|tysm|ty|cheers|appreciate[d]?|grateful|gratitude|obliged) (?!god)",
    ),
    "bye": _Rule(
        "adios all anything bye byebye care catch chatting cheerio ciao cya day done evening everything farewell finished "
        "for go goodbye gotta it later need needed night nothing off one pleasure see set signing speak talk talking tata "
        "want wanted weekend welcome",
        r" (?:bye|goodbye|byebye|cya|farewell|adios|cheerio|ciao|tata|good (?:bye|night|day $)) ",
        r" see (?:you|ya|u) (?:later|soon|then|around|tomorrow|next|there|$)",
        r" (?:talk|speak|chat) (?:to|with) (?:you|ya) (?:later|soon|again) ",
        r" have (?:a|an) (?:[a-z]+ ){0,2}(?:day|night|evening|weekend|one|afternoon|time) ",
        r" take care ",
        r"^ (?:later|laters) $",
        r" catch (?:you|ya) (?:later|around|soon) |^ signing off $",
        r" (?:thats?|that (?:is|was|will be|would be|ll be|does)|thatll be|thatd be|it is|its|this is) (?:about |"
        r"just )?(?:all|everything|it for (?:now|today)) (?!of|the time|right|good|fine|great|correct)",
        # "This is what I want" goes with a picture or after a question: it ends a talk only beside thanks.
        r" (?:(?:all|everything) i (?:need|needed|want|wanted)|what i (?:needed|wanted)|"
        r"(?:thanks?|thank you) (?:[a-z]+ ){0,8}what i (?:need|want)|what i (?:need|want)(?= (?:[a-z]+ )*thank)) "
        r"(?:for (?:now|today) |right now |from you |at the moment |today |now |to know )*(?:thanks? |thank you |bye )*$",
        r" (?:im|i am|we are|were) (?:all )?(?:done|set|finished|off|good for now|going now) ",
        r" (?:nice|good|great|pleasure|awesome|lovely) (?:to )?(?:talking|talk|chatting|speaking|speak|chat) ",
        r" (?:i have to go|gotta go|have to run) ",
        r" (?:dont|do not) need (?:help with )?anything (?:else|more) ",
        r" nothing (?:else|more) ",
        r" (?:you |youre )welcome ",
    ),
    "greet": _Rule(
        "afternoon ai doing evening everything going greetings hallo hello helo hey heya heyo hi hii hiya howdy "
        "hullo morning new sup things up ya yo you",
        r"^ (?:hi+|hello+|hey+|hiya|heya|heyo|howdy|hullo|helo|hallo|greetings|yo|sup|good (?:morning|afternoon|"
        r"evening|day)|(?:morning|evening|afternoon)(?= $)) ",
        r" hows? (?:are|re|is|was|ya|you|your|it|its|things|everything|life) (?:[a-z]+ ){0,3}?(?:you|ya|going|"
        r"doing|been|hanging|things|everything|today|it|with)? ?$",
        r" how (?:you|ya|are you|is everything|are things|re you|the ai) (?:are|been|doing|is|today|going)",
        r" how are (?:you|ya|things) ",
        r" how you are ",
        r"^ how(?:s|re) (?:it|you|everything|things) ",
        r"^ (?:whats|what is) (?:up|new|happening) ",
        r"^ (?:are you|is everything|you) (?:doing |going )?(?:alright|ok|okay|good|well|fine) (?:today |"
        r"right now )?$",
        r" (?:nice|good|great) to (?:see|meet) you ",
    ),
    "change": _Rule(
        "actually add adjust alter amend amendment amendments change changed changing correct correction decrease "
        "different earlier edit extend forgot increase instead later lower make meant mistake mistaken "
        "modification modify move no nope oops postpone push raise rather replace reschedule rescheduling revise "
        "shorten swap switch thought update upgrade wrong",
        r" (?:chang(?:e[sd]?|ing)|modif(?:y|ied|ication|ications)|amend(?:ment|ments)?|reschedul(?:e|ed|ing)|"
        r"postpone|alter|adjust|revise|edit|correction) (?!of mind)",
        r" (?:move|switch|push|swap|bring|shift|update|extend|shorten|increase|decrease|raise|lower|upgrade|"
        r"replace|correct) (?:it|that|this|my|the|our|to|back|over|an?|for|from|all|some) ",
        r" instead (?!of a robot)",
        r"^ (?:no |oh |oops |sorry |well |wait )*actually (?!(?:yes|no|thats|that is|thank|thanks|never) )",
        r" on (?:a )?second (?:thoughts?|though) ",
        r" (?:can|could|would|please|just|you|lets|rather|no|to) (?:you )?(?:please )?(?:also )?make (?:it|that|"
        r"the (?:appointment|reservation|booking|time|date)) (?:for|at|on|to|be|an?|in|[a-z]*[0-9]|one|two|three|"
        r"four|five|six|seven|eight|nine|ten|eleven|twelve|tomorrow|today|next|this|later|earlier|morning|"
        r"afternoon|evening|noon|half|quarter|[a-z]+day)",
        r"^ make (?:it|that) ",
        r" (?:i|we) (?:meant|made a mistake|was (?:wrong|mistaken)) ",
        r" (?:a |some |for a )?different (?:time|day|date|stylist|service|appointment|slot|hour) ",
        r"^ no(?:pe)? (?:its|it is|i (?:want|need|would|said|prefer|actually)|id|book|the|for|at|on|please|can|"
        r"could|lets|give|set|schedule|reserve|only|just|try|do|let) (?!(?:be )?(?:all|not|thats|that is|like that|"
        r"fine|good|right|great|dont|thank) )",
    ),
    "cancel": _Rule(
        "abort annul anymore block call cancel canceled cancellation cancelled cancelling close delete drop "
        "eliminate forget freeze kill longer make need never nevermind remove revert rid scrap terminate undo "
        "void",
        r" (?:cancel(?:l?ed|l?ing|l?ation)?|abort|scrap|terminate|annul|revert|undo|nevermind|eliminate) (?!(?:fee|"
        r"policy|charge)s? )",
        r" call (?:it|that|this|the \w+|my \w+|everything) off ",
        r" call off ",
        r" (?:get rid of|forget (?:it|that|about it|this)|never mind) ",
        r" (?:remove|delete|drop|void|kill|close|freeze|block) (?:it|that|this|my|the|our|all) (?!time )",
        r" (?:no longer) (?:need|want|require) ",
        r" (?:dont|do not|wont) (?:need|want) (?:[a-z]+ ){0,4}(?:anymore|any more) ",
        r" (?:cant|cannot|can not|wont|unable to|not able to|not going to) (?:be able to )?make (?:it|my|the|that|"
        r"our) ",
    ),
    "stop": _Rule(
        "enough exit halt hush quiet quit shut silence stop",
        r" (?:stop|halt|shut (?:up|down|off)|hush|be quiet|silence|thats enough|that is enough|enough) (?!(?:by|at|"
        r"in|room|time|seats?|space|for) )",
        r"^ (?:please )?(?:quit|exit) $",
        r" want to quit ",
    ),
    "human": _Rule(
        "adviser advisor agent agents assistant boss bot call connect conversation employee frustrating human "
        "humans line machine manager member operator owner pass people person pls put reception receptionist rep "
        "representative reps robot service somebody someone speak staff supervisor support talk team transfer "
        "useless worker",
        r"^ (?:please |a |an |real |live |human |speak |talk |i (?:want|need) )*(?:human(?: being)?|agent|"
        r"representative|rep|operator|receptionist|reception|manager|supervisor|(?:real|live|actual) (?:person|"
        r"human|agent|people)|customer (?:service|support|care)|advisor|somebody|person) (?:please |pls |now |"
        r"asap )*$",
        r" (?:talk|speak|chat|spoke|talking|speaking|get in touch|word) (?:directly |again )?(?:to|with) (?:an? |"
        r"the |your |my |one of your |some |any |an actual )?(?:[a-z]+ ){0,2}?(?:human|humans|person|people|"
        r"agents?|representatives?|reps?|operator|someone|somebody|anyone|anybody|manager|supervisor|receptionist|"
        r"reception|staff|member|advisor|adviser|assistant|team|employee|worker|boss|owner|service|support|stylist|"
        r"technician|dentist|doctor|department|desk|restaurant|salon|spa|office|shop|front) (?!s )",
        r" (?:someone|somebody|anyone|anybody|person|human|agent) (?:[a-z]+ ){0,2}?(?:to )?(?:talk|speak|chat) ",
        r" (?:connect|transfer|put|pass|hand|switch|redirect|forward|refer|patch|route) (?:me|us|this|it) (?:over |"
        r"through |on )?(?:to|with) (?!my |the (?:next|waiting))",
        r" (?:get|give|find|bring) me (?:to )?(?:an? |your |the |some )?(?:real |live |actual )?(?:human|person|"
        r"agent|representative|manager|operator|supervisor|someone (?:else|real|to talk)|somebody) (?!who)",
        r" (?:can|could|will|would|have|please|get|let) (?:you |i )?(?:have |get |ask |please )?(?:someone|"
        r"somebody|a person|an? agent|a human|the manager|your manager) (?:please )?(?:call|phone|ring|contact|"
        r"help|text|to (?:call|help|contact|talk)|get back) (?:me|us) ",
        r" (?:want|need|prefer|like|rather have|demand|require) (?:an? |to (?:see|reach|contact) (?:an? |your |"
        r"the )?)(?:real |live |actual |human )*(?:human|person|agent|representative|operator|manager|supervisor)"
        r" (?!who|for )",
        r" (?:reach|contact) (?:your |an? |the |one of your )(?:[a-z]+ )?(?:agents?|human|person|representative|"
        r"manager|staff|team|support) ",
        r"^ (?:[a-z]+ )?team please $",
        r" speak (?:to|with) a real ",
        r" human (?:agent|help|support|being|please|assistance) ",
        r" (?:stupid|dumb|useless|terrible|hate this|annoying) (?:bot|robot|machine|chatbot) ",
        r" (?:bot|robot|machine|chatbot) (?:is|sucks) (?:so |really )?(?:stupid|useless|dumb|terrible|not helping)?",
        r" (?:dont|do not) want to (?:talk|speak|chat) (?:to|with) (?:you|a (?:bot|robot|machine|computer)) ",
        r" conversation is (?:not|useless|going)",
        r" (?:this|it|thats) is (?:really |so |very )?frustrating ",
    ),
    "repeat": _Rule(
        "again another ask asked catch clarify come eh excuse follow get hear heard huh missed more once pardon question re "
        "repeat repeated rephrase replay reset restate retry said say saying sorry understand what",
        r" (?:repeat(?:ed)?|replay|retry|reset|pardon|come again|rephrase|restate) ",
        r" (?:ask|say|said|tell me|speak|spoke|spoken|hear|try|explain|read) (?:[a-z]+ ){0,7}?(?:again|once more|"
        r"one more(?: time)?|another time) ",
        r" (?:once|one|just one|just) (?:more|again|another) (?:time |again )?(?:please )?$",
        r"^ (?:just )?another time please $",
        r" (?:what|whatd) (?:did |have |was )?(?:it )?(?:you|that|u) (?:just )?(?:say|said|again) ",
        r" what was (?:that|the question) | what (?:question )?did you (?:just )?ask ",
        r" (?:didnt|did not|couldnt|could not|cant|dont|do not) (?:quite |really |fully )?(?:catch|get|hear|"
        r"understand|follow) (?:that|it|you|what|u|this|the question|$)",
        r" i missed (?:that|what|it) ",
        r"^ (?:what|huh|eh|sorry|excuse me|again|again please|sorry what|come again) $",
        r"^ again please ",
        r" what (?:do|did) you mean ",
        r" (?:please )?clarify ",
    ),
    "restart": _Rule(
        "begin beginning fresh menu over reset restart scratch start startover",
        r" (?:start|begin) (?:all )?(?:over|again|afresh|fresh|from (?:scratch|the (?:start|beginning|top))) ",
        r" (?:restart|startover) ",
        r" from the (?:start|beginning|top) ",
        r"^ (?:main )?menu $",
        r" (?:main menu|reset (?:everything|all|this|the (?:chat|conversation))) ",
    ),
    "back": _Rule(
        "back previous",
        r"^ (?:please |can we |i want to |lets )?(?:go )?back (?:please |one step )?$",
        r" go back (?:to the previous|a step|one) ",
        r"^ previous ",
    ),
    "alternatives": _Rule(
        "alternative alternatives another anyone besides choices different else instead keep more next option "
        "options other others otherwise rest something somewhere suggestions",
        r" (?:any|some|what|the|see|have|find|give|show|other|for|of|more|which|with|me|an) others? (?!(?:day|"
        r"than that) )",
        r"^ others? ",
        r" another (?!(?:thing|time|question|appointment|booking|reservation|account|payment|day $) )",
        r" (?:what|who|where|anyone|anybody|anything|something|someone|somewhere|anywhere|somebody|which|how)"
        r" else (?!(?:to do|today|now) )",
        r" (?:more|other|different|additional|further) (?:options?|choices?|suggestions?|places?|results?|ones?|"
        r"times?|slots?|dates?|days?|recommendations?|alternatives?|restaurants?|salons?|stylists?|people) ",
        r" alternatives? ",
        r"^ (?:ok |okay |no )*(?:next|keep going|next one) (?:please |one )?$",
        r" keep (?:going|looking|searching) ",
        r" a different (?:[a-z]+ )?(?:one|place|person|restaurant|salon|doctor|dentist|therapist|stylist) ",
        r" anyone besides ",
        r" (?:any|show me|see) more ",
    ),
    "dont_know": _Rule(
        "answer certain clue could depends dunno either forget forgot guess idea idk know knows maybe may might perhaps possibly "
        "recall remember say sure tell uncertain unsure",
        r" (?:dont|do not|wouldnt|would not|really not|didnt|not|cant) (?:really |actually |honestly |quite )"
        r"?(?:know|remember|recall) (?!(?:how|where|why) to get )",
        r" (?:not|isnt|im un|arent) (?:really |quite |entirely |totally |completely |so |too |very |100 )*(?:sure|"
        r"certain) ",
        r" (?:unsure|uncertain|idk|dunno) ",
        r" (?:no|any|not any|have no) (?:idea|clue) (?!regarding |about what )",
        r"^ (?:maybe|perhaps|possibly) (?!later |another time)",
        r" i (?:think|guess) maybe ",
        r" (?:cant|couldnt|cannot|hard to|could not) (?:really )?(?:tell|say) ",
        r" who knows ",
        r" (?:dont|do not) have an? (?:answer|idea|clue) ",
        r" (?:cant|cannot) give (?:you )?an answer ",
        r"^ might $",
        r" (?:could|might|may) be (?:either|one|both|possible|true|the case)? ?",
        r" answer (?:would be|is) maybe ",
        r" (?:it|that) depends ",
    ),
    "dont_care": _Rule(
        "any anybody anyone anything anytime bother care choose either flexible importance important matter mind "
        "preference unimportant up whatever whichever whoever",
        r" (?:whatever|whichever|whoever|no preference|unimportant|up to you|you (?:choose|pick|decide))"
        r" (?!(?:is wrong|happened|the reason) )",
        r" (?:doesnt|does not|dont|do not|wouldnt|would not|didnt|no) (?:really |actually )?(?:matter|mind|care|"
        r"bother|have a preference) ",
        r" (?:not|no|of no) (?:really |that )?(?:important|importance) ",
        r" (?:any|anything|anyone|anybody|anytime|any one|any time|any of them|either(?: one)?|any day|both) (?:is|"
        r"would be|will be|works?|are|will do|would do|s) (?:just |totally )?(?:ok|okay|fine|good|great|alright|"
        r"with me|for me)?",
        r" no idea (?:regarding|about) (?:to )?what ",
        r"^ (?:any|anyone|anything|anytime|anybody|either|any (?:one|of them|time)) (?:please )?$",
        r" (?:im|i am) flexible ",
    ),
    "acknowledge": _Rule(
        "alright awesome cool fine good got gotcha great k kk know makes nice noted ok okay okey perfect really "
        "right roger see sense super sure understand understood wow",
        r"^ (?:oh |ah |yes |yeah )*(?:ok+|okay|okey|k|kk|alright|great|awesome|cool|sure|perfect|noted|fine|wow|"
        r"nice|super|gotcha|roger|good (?!morning|afternoon|evening|day|bye|night)|really|understood|right) ",
        r"^ (?:oh |ok )?i (?:see|understand|know) (?!you later)",
        r" (?:got it|makes sense|fair enough|good to know|all good|that (?:was|is) (?:super |very )?helpful) ",
        r"^ (?:thats|this is|that is) (?:great|right|awesome|amazing|good|nice) ",
    ),
    "are_you_a_robot": _Rule(
        "ai automated bot chatbot computer human machine person real robot",
        r" (?:are|r) (?:you|u) (?:an? |the |even |really |actually )*(?:real|human|person|robot|bot|chatbot|"
        r"machine|ai|computer|automated|live person) (?!ok)",
        r" (?:is|am) (?:this|i|it|that) (?:talking |speaking |chatting |texting )?(?:to |with )?(?:an? |the )"
        r"?(?:real |actual )?(?:human|person|robot|bot|chatbot|machine|ai|computer|automated) ",
        r"^ (?:you|youre|you are) (?:an? )?(?:robot|bot|machine) $",
        r"^ (?:robot|bot|human or (?:robot|bot)|(?:bot|robot) or human) $",
    ),
    "upset": _Rule(
        "angry annoyed annoying awful crap disgusting frustrating furious hate idiot joke ridiculous rubbish "
        "stupid terrible unacceptable useless worst wtf",
        r" (?:stupid|useless|ridiculous|frustrating|terrible|awful|worst|hate|angry|annoying|annoyed|unacceptable|"
        r"idiots?|crap|wtf|disgusting|furious|rubbish|a joke) ",
    ),
    "question": _Rule(
        "address are can could did do does get give has have how hows is know may number phone price rating "
        "should tell what whats when whens where whereabouts wheres whether which who whos why will would",
        r" (?:whats?|wheres?|whens?|which|whos?|why|hows?|whereabouts) (?!(?:about|not|i (?:want|need|meant?)|else|"
        r"up|works|you like) )(?!other)",
        r" (?:does|is|are|did|has|was|were|do|will|would) (?!it (?:$|at|for|on|again|that|please))(?:it|they|there|"
        r"he|she|the|this|their|your|any|everything|dr|liquor|alcohol|[a-z]+ist) (?!works? |sounds? )",
        r" (?:do|did|are|will|have) you (?!(?:have )?(?:any(?:thing|one)? )?(?:other|another|else|more) )(?!book|"
        r"make|schedule|reserve|find|search)",
        r" (?:tell|give|get|find|send|provide|share) me (?:[a-z]+ ){0,3}?(?:address|addres|number|phone|rating|"
        r"ratings|contact|location|price|prices|details|hours|if|whether|about|what|where|how|more about) ",
        r" (?:know|wondering|find out|tell|check|see) (?:if|whether|what|where|how|when|about the|their|the) ",
        r" (?:can|could|may|would) (?:i|you|we) (?:please |also |maybe )?(?:get|have|know|give|tell|provide|share|"
        r"ask|contact|call|send) (?:me |us )?(?:the|their|there|his|her|your|its|that|if|whether|what|where|an?|"
        r"some|them|contact|more|please) ",
        r" (?:need|want|like) (?:to (?:know|have|get) )?(?:the|their|there|his|her|your|its) (?:[a-z]+ )"
        r"?(?:address|addres|number|phone|rating|contact|location|price) ",
    ),
}
