"""History files: one JSON object per line, so that anyone can write one and anyone can check it. docs/histories.md.

`lines` are the kinds of lines, `reading` makes a history of a file or says which line is wrong, `checks` look at what
no single line shows, `writing` makes a file of a history.
"""
