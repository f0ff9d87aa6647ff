package org.edge_asr.demo.phone

/** Null where the system refuses, or its service has died: a figure that is missing stops nothing. */
internal inline fun <T> attempt(ask: () -> T?): T? =
    try {
        ask()
    } catch (_: RuntimeException) {
        null
    } catch (_: ReflectiveOperationException) {
        null
    }
