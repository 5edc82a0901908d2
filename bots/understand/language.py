"""Which of the languages we may speak a message is in, by its little words; says nothing when in doubt."""

from collections.abc import Mapping

from bots.understand.text import words

LANGUAGES = ("en", "es", "fr", "de", "pt")


def detect(text: str, *, least: float = 1) -> str | None:
    """`en`, `es`, `fr`, `de` or `pt`, or None when the words do not decide: names, numbers, other languages.

    `least` is how many words that belong to one language alone, or what makes up for them, it takes. Words that several of
    the languages share count for each in part; telling letters (ñ, ß, ã) count too. One
    everyday word of one language decides a short message ("hola", "merci"); a longer one needs more.
    """
    said = words(text)[:60]
    if not said:
        return None
    scores = dict.fromkeys(LANGUAGES, 0.0)
    known = 0
    for word in said:
        owners = _OWNERS.get(word)
        if owners:
            known += 1
            for language in owners:
                scores[language] += 1 / len(owners)
    foreign = sum(word in _FOREIGN for word in said)
    for letter, language in _LETTERS.items():
        if letter in text or letter.upper() in text:
            scores[language] += 0.75
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    (best, score), (_, second) = ranked[0], ranked[1]
    enough = score >= least and score >= 1.4 * second and score > foreign
    return best if enough and known >= 0.2 * len(said) else None


def _owners(lists: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    owners: dict[str, tuple[str, ...]] = {}
    for language, listed in lists.items():
        for word in listed.split():
            owners[word] = (*owners.get(word, ()), language)
    return owners


_OWNERS = _owners(
    {
        "en": """the a an and or of to in is are was be i me my you your we it this that for on at with can could would
            like want need have has do does did what when where who how why yes no not please thanks thank hello hi hey
            book booking appointment tomorrow today at from by about if there any some will i'd i'm it's don't can't
            show set make remind me play find add cancel change time morning evening week next after before which their
            they he she his her as but all been more than into its only also were had many during out up up's first
            monday tuesday wednesday thursday friday saturday sunday bye good great sorry okay tonight minutes""",
        "es": """el la los las un una unos y o de del al a en es son está estoy ser yo me mi tu su se que qué cuándo
            cuando dónde donde quién cómo como por para con sin pero si sí no muy más gracias hola buenos buenas días
            tardes noches favor quiero quisiera puedo puede podría necesito tengo tiene hay cita reservar mañana hoy
            ayer lunes martes miércoles jueves viernes sábado domingo hora semana este esta ese esa lo le les nos
            cuál cuánto cuántos ha fue han era entre sobre también hasta desde poner pon muestra adiós vale poco
            mis sus ya todos todas durante alarma recuérdame próximo""",
        "fr": """le la les un une des du de et ou à au aux en est sont je j'ai me mon ma mes tu vous votre il elle on
            nous ce cette ces que qui quoi quand où comment pourquoi pour par avec sans dans sur mais si oui non ne pas
            plus très merci bonjour salut bonsoir plaît voudrais veux peux puis-je pouvez besoin ai avez rendez vous
            réserver demain aujourd'hui hier lundi mardi mercredi jeudi vendredi samedi dimanche heure heures semaine
            c'est d'un d'une qu'est l'heure quel quelle quels s'il se son sa ses leur été a-t-il pendant entre mets
            j'aimerais prochain prochaine combien était ont fait rappelle moi""",
        "de": """der die das den dem des ein eine einen einem einer und oder von zu zum zur in im ist sind war ich mich
            mir mein meine du sie ihr wir es dies diese dieser dass was wann wo wer wie warum für auf an am mit ohne
            aber wenn ja nein nicht kein keine sehr mehr danke hallo guten tag morgen abend bitte möchte will kann
            könnte können brauche habe haben hat gibt termin buchen heute gestern montag dienstag mittwoch donnerstag
            freitag samstag sonntag uhr woche nach vor bei aus um als auch noch nur schon wird werden welche welcher
            wurde viele nächste nächsten erinnere stelle zeige tschüss gerne""",
        "pt": """o a os as um uma uns e ou de do da dos das ao à em no na nos nas é são está estou eu me meu minha tu
            você seu sua que quê quando onde quem como por para com sem mas se sim não muito mais obrigado obrigada olá
            oi bom boa dia tarde noite favor quero queria posso pode poderia preciso tenho tem há consulta marcar
            amanhã hoje ontem segunda terça quarta quinta sexta sábado domingo hora horas semana este esta esse essa
            isso qual quais quanto foi era entre sobre também até desde depois pelo pela tchau daqui próxima próximo
            voltarei vou foram durante quantos""",
    }
)
# Little words of neighbours that look like ours: Italian, Dutch, the Nordic languages, Catalan, Romanian, Turkish.
_FOREIGN = frozenset(
    "il lo gli di che non per sono è della del alle nel una ho mi questo quando dove grazie ciao het een van ik je niet "
    "dat met voor naar op wat zijn hoe deze og det er på av som ikke til jeg du har den att och är för inte som "
    "amb els és i per què și este pentru sau în cu fost din bir ve bu için ne mi da nie w z na jak co je ve se på ett".split()
)
_LETTERS = {"ñ": "es", "¿": "es", "¡": "es", "ß": "de", "ã": "pt", "õ": "pt", "ç": "fr", "œ": "fr", "ê": "fr"}
