/* The resolved settings as a value: release and copy. A valid copy has no NULL text field. */
#include "djp/config.h"

#include "base/mem.h"
#include "djp/error.h"

#include <stddef.h>
#include <string.h>

static const size_t options_texts[] = {
    offsetof(djp_options, service_name),
    offsetof(djp_options, service_namespace),
    offsetof(djp_options, service_version),
    offsetof(djp_options, environment),
    offsetof(djp_options, environment_short),
    offsetof(djp_options, resource_attributes),
    offsetof(djp_options, endpoint),
    offsetof(djp_options, headers),
    offsetof(djp_options, certificate),
    offsetof(djp_options, extra_certificate),
    offsetof(djp_options, client_key),
    offsetof(djp_options, client_certificate),
    offsetof(djp_options, file_path),
    offsetof(djp_options, http_proxy),
    offsetof(djp_options, https_proxy),
    offsetof(djp_options, no_proxy),
    offsetof(djp_options, prometheus_host),
    offsetof(djp_options, prometheus_token),
    offsetof(djp_options, excluded_paths),
    offsetof(djp_options, propagators),
    offsetof(djp_options, known_methods),
    offsetof(djp_options, report_json),
    offsetof(djp_options, tail_sampling_rules),
    offsetof(djp_options, overrides_file),
    offsetof(djp_options, sampler_text),
    offsetof(djp_options, sampling_endpoint),
    offsetof(djp_options, budget_file),
    offsetof(djp_options, endpoint_source),
    offsetof(djp_options, enabled_source),
    offsetof(djp_options, summary),
    offsetof(djp_options, baggage_attributes),
    offsetof(djp_options, metrics_endpoint),
    offsetof(djp_options, metrics_headers),
    offsetof(djp_options, metrics_certificate),
    offsetof(djp_options, metrics_client_key),
    offsetof(djp_options, metrics_client_certificate),
    offsetof(djp_options, metrics_file_path),
    offsetof(djp_options, shared_dir),
};

enum { OPTIONS_TEXT_COUNT = sizeof options_texts / sizeof options_texts[0] };

static char **
options_text(djp_options *options, size_t i)
{
    return (char **)(void *)((char *)options + options_texts[i]);
}

void
djp_options_fini(djp_options *options)
{
    if (options == NULL) {
        return;
    }
    for (size_t i = 0; i < OPTIONS_TEXT_COUNT; i++) {
        djp__free(*options_text(options, i));
    }
    memset(options, 0, sizeof *options);
}

int
djp_options_copy(djp_options *out, const djp_options *from)
{
    int failed = 0;
    djp_options copy = *from;
    for (size_t i = 0; i < OPTIONS_TEXT_COUNT; i++) {
        char **text = options_text(&copy, i);
        if (*text != NULL) {
            *text = djp__strdup(*text);
            failed |= *text == NULL;
        }
    }
    if (failed) {
        djp_options_fini(&copy);
        memset(out, 0, sizeof *out);
        return DJP_ENOMEM;
    }
    *out = copy;
    return DJP_OK;
}
