/* The settings of sampling that are texts, as the configuration asks for them. */
#ifndef DJP_SAMPLING_SETTINGS_H
#define DJP_SAMPLING_SETTINGS_H

#include "config/config.h"

extern const djp__config_parsers djp__sampling_parsers;

#endif
