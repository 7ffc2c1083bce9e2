/* What the program tells, one JSON object a line. */
#ifndef REPORT_H
#define REPORT_H

/* Everything since the last such report; then times and rates start anew. */
void report_window(void);
/* The verdict on the whole run, once nothing more is awaited. */
void report_verdict(void);
/* Where the run is, for progress; changes nothing. */
void report_peek(void);
void report_event(const char *name);

#endif
