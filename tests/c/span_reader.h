/* Reads what a recorder published: takes records out of its ring, checks their whole structure, and
 * finds things in them. Shares no code with the writer but the declaration of the format. */
#ifndef TESTS_C_SPAN_READER_H
#define TESTS_C_SPAN_READER_H

#include "model/record.h"
#include "trace/recorder.h"

/* Options of a recorder that keeps everything, with the usual limits. */
djp__recorder_options span_reader_options(void);
/* Makes a recorder or ends the program. */
djp_recorder *span_reader_recorder(const djp__recorder_options *options);

/* The next published record, checked, in fresh memory that the caller frees; NULL when there is
 * none. */
djp__span_record *span_reader_take(djp_recorder *recorder);
/* Takes and forgets all; returns how many there were. */
unsigned span_reader_drain(djp_recorder *recorder);
/* Ends the program with a message when the record breaks a rule of its format. */
void span_reader_check(const djp__span_record *record, size_t size);

/* The last top-level attribute of the key, or NULL. */
const djp__item *span_reader_attribute(const djp__span_record *record, const char *key);
/* The attribute as text: "s:abc", "i:5", "d:0.5", "b:1", "x:0a0b", "-", "[i:1,s:a]", "{k=i:1}"; ""
 * when absent. Valid until the next call. */
const char *span_reader_show(const djp__span_record *record, const char *key);
/* An item shown alike, valid until the next call. */
const char *span_reader_show_item(const djp__item *item);
/* The nth event or link item, or NULL. */
const djp__item *span_reader_item(const djp__span_record *record, unsigned kind, unsigned n);
/* Attribute of an event or link by key, shown as above. */
const char *span_reader_show_in(const djp__item *event_or_link, const char *key);
/* How many attribute items an event or link holds. */
unsigned span_reader_count_in(const djp__item *event_or_link);
djp_text span_reader_name(const djp__span_record *record);
djp_text span_reader_status_text(const djp__span_record *record);
djp_text span_reader_state(const djp__span_record *record);
djp_text span_reader_event_name(const djp__item *event);

#endif
