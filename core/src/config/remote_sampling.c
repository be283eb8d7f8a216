/* The settings of the sampler jaeger_remote: server, interval, and the ratio until the first
 * response, from options, the SDK's variables, and the list in OTEL_TRACES_SAMPLER_ARG. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

static const char remote_argument[] = "OTEL_TRACES_SAMPLER_ARG";

typedef struct remote_member {
    const char *key; /* in the argument */
    djp__setting setting;
} remote_member;

static const remote_member remote_members[] = {
    {"endpoint", DJP_SETTING_REMOTE_SAMPLING_ENDPOINT},
    {"pollingIntervalMs", DJP_SETTING_REMOTE_SAMPLING_INTERVAL},
    {"initialSamplingRate", DJP_SETTING_SAMPLE_RATIO},
};

enum { REMOTE_MEMBERS = sizeof remote_members / sizeof remote_members[0] };

/* The member of a `key=value`, its value in *value; NULL if it is unknown. */
static const remote_member *
remote_split(djp_text *value, djp_text part)
{
    djp_text key;
    *value = part;
    if (!djp__text_split(&key, value, '=')) {
        return NULL;
    }
    key = djp__text_trim(key);
    *value = djp__text_trim(*value);
    for (size_t i = 0; i < REMOTE_MEMBERS; i++) {
        if (value->size > 0 && djp__text_equal_nocase(key, remote_members[i].key)) {
            return &remote_members[i];
        }
    }
    return NULL;
}

/* Narrows the argument to the value of one member, the first of its key. Returns 0 if it is
 * absent. */
static int
remote_narrow(djp__config_given *given, djp__config_state *state, const remote_member *member)
{
    djp_text rest = djp__text(given->text), part, value;
    while (djp__text_split(&part, &rest, ',')) {
        if (remote_split(&value, part) == member) {
            given->text = djp__config_copy(state, value);
            return 1;
        }
    }
    return 0;
}

/* Reads the first valid source. Returns 0 if there is none. */
static int
remote_read(djp__config_state *state, const remote_member *member)
{
    djp__config_given given;
    size_t at = 0;
    while (djp__config_next(&given, state, member->setting, &at)) {
        if (strcmp(given.name, remote_argument) == 0 && !remote_narrow(&given, state, member)) {
            continue;
        }
        int taken = member->setting == DJP_SETTING_REMOTE_SAMPLING_ENDPOINT
                        ? djp__config_store_sampling_url(state, &given)
                        : djp__config_store(state, member->setting, &given);
        if (taken) {
            return 1;
        }
    }
    return 0;
}

static void
remote_warn_unknown(djp__config_state *state)
{
    djp__config_given given;
    size_t at = 0;
    while (djp__config_next(&given, state, DJP_SETTING_REMOTE_SAMPLING_ENDPOINT, &at)) {
        djp_text rest = djp__text(given.text), part, value;
        if (strcmp(given.name, remote_argument) != 0) {
            continue;
        }
        while (djp__text_split(&part, &rest, ',')) {
            if (djp__text_trim(part).size > 0 && !remote_split(&value, part)) {
                djp__config_warn(
                    state, &given,
                    "%s has a member that is none of endpoint=URL, pollingIntervalMs=NUMBER and "
                    "initialSamplingRate=RATIO. It is ignored: correct or remove it.",
                    remote_argument);
                return;
            }
        }
    }
}

static void
remote_warn_useless(djp__config_state *state)
{
    static const djp__setting settings[] = {DJP_SETTING_REMOTE_SAMPLING_ENDPOINT,
                                            DJP_SETTING_REMOTE_SAMPLING_INTERVAL};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        djp__config_given given;
        size_t at = 0;
        if (djp__config_next(&given, state, settings[i], &at) &&
            strcmp(given.name, remote_argument) != 0) {
            djp__config_warn(state, &given,
                             "%s has no effect without the sampler jaeger_remote: name that, too.",
                             given.name);
        }
    }
}

int
djp__config_remote_sampling(djp__config_state *state, int on)
{
    if (!on) {
        remote_warn_useless(state);
        return 0;
    }
    remote_warn_unknown(state);
    remote_read(state, &remote_members[0]);
    remote_read(state, &remote_members[1]);
    return remote_read(state, &remote_members[2]);
}
