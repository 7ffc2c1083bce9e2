/* The oracle alone, fed by hand: its counters are compared with known input by the tests. */
#ifndef JUDGE_H
#define JUDGE_H

/* Reads events from the standard input, one a line, and prints the verdict. */
int judge_input(void);

#endif
