package org.edge_asr.demo

import android.app.Application
import org.edge_asr.demo.live.LiveController

class DemoApplication : Application() {
    /** Made when the screen is first seen: the benchmark's process loads no second model. It outlives a turn of the phone. */
    val live: LiveController by lazy { LiveController(this) }
}
