/* The version; pyproject.toml, package.json and CHANGELOG.md must match it. */
#ifndef DJP_VERSION_H
#define DJP_VERSION_H
#define DJP_VERSION "0.1.0"
#define DJP_SDK_NAME "djp-telemetry" /* telemetry.sdk.name */
#endif
