/* Settings of a test: variables and options go in; the resolved options, the report and the
 * warnings come out. */
#ifndef TESTS_C_SETTINGS_FIXTURE_H
#define TESTS_C_SETTINGS_FIXTURE_H

#include "config/config.h"
#include "json.h"

/* Names and values in turn. */
#define PAIRS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_PAIRS ((const char *const[]){NULL})
/* Options with telemetry switched on. */
#define ON(...) PAIRS("enabled", "true", __VA_ARGS__)
#define ONLY_ON PAIRS("enabled", "true")

enum { SETTINGS_WARNINGS_MAX = 8 };

typedef struct settings {
    djp_options options;
    json *report;
    char *warnings[SETTINGS_WARNINGS_MAX];
    size_t warning_count;
} settings;

/* Resolves; fails the test if that fails or warns too often. Borrows. */
void settings_resolve(settings *out, const char *const *variables, const char *const *options);
/* The same with each member of the request that the caller has set. */
void settings_request(settings *out, const char *const *variables, const char *const *options,
                      djp_config_request request);
void settings_fini(settings *settings);

/* Of the report: the text of a value ("" if it is no text or number), and its source. */
const char *settings_value(const settings *settings, const char *name);
const char *settings_source(const settings *settings, const char *name);
/* 1: one of the warnings contains the text. */
int settings_warned(const settings *settings, const char *text);
/* Fails the test unless there are so many warnings. */
void settings_assert_warnings(const settings *settings, size_t count);
/* Resolves while the 1st, 2nd, 3rd ... allocation fails, alone or with all after it: either the
 * report is that of a resolution without a failure, or out of memory is reported and nothing is
 * left in the options. No memory stays. */
void settings_without_memory(const char *const *variables, const char *const *options);

#endif
