/* The sampling settings in text form, for the configuration. */
#ifndef DJP_SAMPLING_SETTINGS_H
#define DJP_SAMPLING_SETTINGS_H

#include "config/config.h"

extern const djp__config_parsers djp__sampling_parsers;

#endif
