{
  "targets": [
    {
      "target_name": "djp_telemetry",
      "sources": [
        "core/src/djp.c",
        "<!@(ls core/gen/*.c)",
        "<!@(ls bindings/node/src/*.c)"
      ],
      "include_dirs": ["core/include", "core/src", "core"],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "cflags": [
        "-std=c11",
        "-O2",
        "-fvisibility=hidden",
        "-fno-plt",
        "-fno-strict-aliasing",
        "<!@(pkg-config --cflags libcurl libprotobuf-c zlib libmicrohttpd)",
        "<!@(echo $DJP_TELEMETRY_CFLAGS)"
      ],
      "ldflags": [
        "-Wl,--exclude-libs,ALL",
        "-Wl,-z,nodelete",
        "<!@(echo $DJP_TELEMETRY_LDFLAGS)"
      ],
      "libraries": ["<!@(pkg-config --libs libcurl libprotobuf-c zlib libmicrohttpd)", "-lpthread", "-lm"]
    }
  ]
}
