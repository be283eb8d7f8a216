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
        "-fstack-protector-strong",
        "-U_FORTIFY_SOURCE",
        "-D_FORTIFY_SOURCE=2",
        "<!@(pkg-config --cflags libcurl libprotobuf-c zlib libmicrohttpd)",
        "<!@(echo $DJP_TELEMETRY_CFLAGS)"
      ],
      "ldflags": [
        "-Wl,--exclude-libs,ALL",
        "-Wl,-z,nodelete",
        "-Wl,-z,relro,-z,now",
        "<!@(echo $DJP_TELEMETRY_LDFLAGS)"
      ],
      "libraries": ["<!@(pkg-config --libs libcurl libprotobuf-c zlib libmicrohttpd)", "-lpthread", "-lm"]
    }
  ]
}
