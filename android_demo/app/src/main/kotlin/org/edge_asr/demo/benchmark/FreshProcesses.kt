package org.edge_asr.demo.benchmark

import android.content.ComponentName
import android.content.Context
import android.content.Intent
import android.content.ServiceConnection
import android.os.Bundle
import android.os.Handler
import android.os.HandlerThread
import android.os.IBinder
import android.os.Message
import android.os.Messenger
import android.os.RemoteException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import org.edge_asr.core.benchmark.BenchmarkException
import org.edge_asr.core.benchmark.ColdStart

/** Starts [ColdStartService]'s process anew each time. Never on the main thread, which the system answers on. */
class FreshProcesses(context: Context) {
    private val context = context.applicationContext

    /** Throws [BenchmarkException], and only returns when that process has ended. */
    fun coldStart(request: ColdStartRequest): ColdStart {
        val replies = HandlerThread("cold start replies").apply { start() }
        val connection = Connection(request, replies)
        try {
            val intent = Intent(context, ColdStartService::class.java)
            if (!context.bindService(intent, connection, Context.BIND_AUTO_CREATE or Context.BIND_IMPORTANT)) {
                throw BenchmarkException("the phone starts no process for a cold start: restart it")
            }
            val answer = connection.answers.poll(ANSWER_WITHIN_S, TimeUnit.SECONDS)
                ?: throw BenchmarkException("a cold start gave no answer within $ANSWER_WITHIN_S s: keep the benchmark's screen on")
            return coldStartOf(answer)
        } finally {
            context.unbindService(connection)
            connection.awaitEnd()
            replies.quit()
        }
    }

    private class Connection(private val request: ColdStartRequest, replies: HandlerThread) : ServiceConnection {
        val answers = LinkedBlockingQueue<Bundle>()
        private val ended = CountDownLatch(1)

        @Volatile
        private var connected = false
        private val answerTo = Messenger(
            Handler(replies.looper) { message ->
                answers.add(message.data)
                true
            },
        )

        override fun onServiceConnected(name: ComponentName, service: IBinder) {
            connected = true
            try {
                service.linkToDeath({ died() }, 0)
                Messenger(service).send(
                    Message.obtain().apply {
                        data = request.toBundle()
                        replyTo = answerTo
                    },
                )
            } catch (_: RemoteException) {
                died()
            }
        }

        override fun onServiceDisconnected(name: ComponentName) = died()

        /** Where the answer is there already, this one is not looked at. */
        private fun died() {
            answers.add(refusal("the process of a cold start ended without an answer: `adb logcat -b crash` may tell why"))
            ended.countDown()
        }

        fun awaitEnd() {
            if (connected && !ended.await(END_WITHIN_S, TimeUnit.SECONDS)) {
                throw BenchmarkException("the process of a cold start does not end: force-stop the app and run it again")
            }
        }
    }

    private companion object {
        const val ANSWER_WITHIN_S = 240L
        const val END_WITHIN_S = 20L
    }
}
