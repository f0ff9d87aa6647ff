package org.edge_asr.demo.benchmark

import android.app.Service
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.os.IBinder
import android.os.Message
import android.os.Messenger
import android.os.Process
import android.os.RemoteException
import java.io.File
import org.edge_asr.core.benchmark.BenchmarkException
import org.edge_asr.core.benchmark.Recording
import org.edge_asr.core.benchmark.coldStartHere
import org.edge_asr.core.program.ProgramException
import org.edge_asr.demo.phone.PhoneProcess
import org.edge_asr.demo.program.ExecutorchProgram

/**
 * A process of its own (see the manifest) that loads a model, hears a little, tells what that took, and ends when nobody
 * is bound any more, so that the next start is a cold one again.
 */
class ColdStartService : Service() {
    private val worker = HandlerThread("cold start")

    override fun onBind(intent: Intent): IBinder {
        worker.start()
        val handler = Handler(worker.looper) { message ->
            reply(message, coldStart(message.data))
            true
        }
        return Messenger(handler).binder
    }

    override fun onDestroy() {
        super.onDestroy()
        Process.killProcess(Process.myPid())
    }

    private fun coldStart(asked: Bundle): Bundle {
        val request = ColdStartRequest.of(asked)
        return try {
            answer(
                coldStartHere(
                    PhoneProcess(),
                    { ExecutorchProgram.open(File(request.model), request.threads) },
                    request.threshold,
                    request.recordings.map { Recording(File(it)) },
                ),
            )
        } catch (error: ProgramException) {
            refusal(error.message.orEmpty())
        } catch (error: BenchmarkException) {
            refusal(error.message.orEmpty())
        }
    }

    private fun reply(asked: Message, answer: Bundle) {
        try {
            asked.replyTo.send(Message.obtain().apply { data = answer })
        } catch (_: RemoteException) {
            return // who asked has gone, and so will this process
        }
    }
}
