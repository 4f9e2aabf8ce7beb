"""How far apart two spellings of a word are, and the pairs of letters by which near ones are found quickly."""


def grams(word: str) -> frozenset[str]:
    """The pairs of letters in a word, with its beginning and its end: a slip changes two or three of them."""
    marked = f"^{word}$"
    return frozenset(marked[start : start + 2] for start in range(len(marked) - 1))


def distance(one: str, other: str, *, most: int) -> int:
    """How many slips lead from one word to the other; anything above ``most`` where there are more.

    A slip is a letter left out, put in, mistaken or swapped with its neighbour (optimal string alignment).
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        earlier, before, row = before, row, [place]
        for column, other_letter in enumerate(other, 1):
            least = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != other_letter))
            if place > 1 and column > 1 and letter == other[column - 2] and one[place - 2] == other_letter:
                least = min(least, earlier[column - 2] + 1)
            row.append(least)
        if min(row) > most:
            return most + 1
    return row[-1]
