/* Resolves the settings with the parsers of the layers above the configuration. */
#include "config/config.h"
#include "sampling/settings.h"

int
djp_config_resolve_request(djp_options *out, const djp_config_request *request)
{
    return djp__config_resolve(out, request, &djp__sampling_parsers);
}

int
djp_config_resolve(djp_options *out, djp_config_lookup lookup, void *lookup_user,
                   const djp_config_override *overrides, size_t override_count,
                   const char *default_service_name, djp_config_warn warn, void *warn_user)
{
    djp_config_request request = {
        .lookup = lookup,
        .lookup_user = lookup_user,
        .overrides = overrides,
        .override_count = override_count,
        .default_service_name = default_service_name,
        .warn = warn,
        .warn_user = warn_user,
    };
    return djp_config_resolve_request(out, &request);
}
