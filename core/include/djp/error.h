/* Error codes. Set-up, flush and read calls return 0 or one of the negative codes;
 * recording calls return none. */
#ifndef DJP_ERROR_H
#define DJP_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define DJP_ERROR_MAP(X)                                \
    X(DJP_OK, 0, "success")                             \
    X(DJP_ENOMEM, -1, "out of memory")                  \
    X(DJP_EINVAL, -2, "invalid argument")               \
    X(DJP_ETIMEOUT, -3, "deadline passed")              \
    X(DJP_ESHUTDOWN, -4, "already shut down")           \
    X(DJP_EFULL, -5, "no room left")                    \
    X(DJP_EIO, -6, "input or output failed")            \
    X(DJP_EPROTO, -7, "malformed data")                 \
    X(DJP_EUNSUPPORTED, -8, "not supported here")       \
    X(DJP_EEXIST, -9, "exists with another definition") \
    X(DJP_ETHREAD, -10, "could not start a thread")     \
    X(DJP_EREJECTED, -11, "refused by the receiver")    \
    X(DJP_ERETRY, -12, "failed for now, may be retried")

typedef enum djp_error {
#define DJP_ERROR_ENUM(name, value, text) name = value,
    DJP_ERROR_MAP(DJP_ERROR_ENUM)
#undef DJP_ERROR_ENUM
        DJP_ERROR_LAST = -13 /* one past the last code */
} djp_error;

/* Returns the English text of a code: static, never NULL. Any thread. */
const char *djp_error_text(int code);

#ifdef __cplusplus
}
#endif
#endif
