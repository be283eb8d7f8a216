/* The one place that holds the version; pyproject.toml, package.json and
 * CHANGELOG.md are checked against it. */
#ifndef DJP_VERSION_H
#define DJP_VERSION_H
#define DJP_VERSION "0.1.0"
#define DJP_SDK_NAME "djp-telemetry" /* telemetry.sdk.name */
#endif
