/* Encodes the user part of addresses, also of proxies, for other parsers: a password with an '@'
 * would end the user part too early, and the connection would fail. */
#include "config/config.h"

#include "base/str.h"

#include <string.h>

static int
address_is_coded(djp_text rest)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    return rest.size >= 3 && rest.data[1] != '\0' && strchr(digits, rest.data[1]) != NULL &&
           rest.data[2] != '\0' && strchr(digits, rest.data[2]) != NULL;
}

void
djp__config_put_user(djp__buf *out, djp_text user)
{
    for (size_t i = 0; i < user.size; i++) {
        char c = user.data[i];
        int is_last = i + 1 == user.size;
        djp_text rest = {user.data + i, user.size - i};
        if ((c == '@' && !is_last) || c == '[' || c == ']' ||
            (c == '%' && !address_is_coded(rest))) {
            djp__buf_printf(out, "%%%02X", (unsigned)c);
        } else {
            djp__buf_char(out, c);
        }
    }
}

static void
address_code_proxy(djp__config_state *state, djp__setting setting, const char *proxy)
{
    const char *scheme = strstr(proxy, "://");
    const char *user = scheme == NULL ? proxy : scheme + 3;
    const char *at = strrchr(user, '@');
    if (at == NULL) {
        return;
    }
    djp__buf text;
    djp__buf_init(&text, 0);
    djp__buf_append(&text, proxy, (size_t)(user - proxy));
    djp__config_put_user(&text, (djp_text){user, (size_t)(at - user) + 1});
    djp__buf_text(&text, at + 1);
    state->failed |= text.failed;
    if (!text.failed) {
        djp__config_set_text(state, setting, (djp_text){text.data, text.size},
                             state->sources[setting]);
    }
    djp__buf_fini(&text);
}

void
djp__config_rule_proxies(djp__config_state *state)
{
    address_code_proxy(state, DJP_SETTING_HTTP_PROXY, state->out->http_proxy);
    address_code_proxy(state, DJP_SETTING_HTTPS_PROXY, state->out->https_proxy);
}
