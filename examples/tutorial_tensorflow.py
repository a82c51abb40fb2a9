"""The classic TensorFlow tutorial on TensorFlow itself, and one line more: it is published.

Needs `pip install "numen[train,tensorflow]"`. Afterwards `numen serve digits` serves it.
"""

import os

import tensorflow as tf

import numen

mnist = numen.Dataset.open("mnist")
train, test = mnist.train.arrays(), mnist.test.arrays()
x_train, y_train = train.inputs["image"] / 255.0, train.target
x_test, y_test = test.inputs["image"] / 255.0, test.target

model = tf.keras.models.Sequential(
    [
        tf.keras.layers.Flatten(input_shape=(28, 28)),
        tf.keras.layers.Dense(128, activation="relu"),
        tf.keras.layers.Dropout(0.2),
        tf.keras.layers.Dense(10),
    ]
)
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
model.fit(x_train, y_train, epochs=int(os.environ.get("EPOCHS", "5")), verbose=2)
model.evaluate(x_test, y_test, verbose=2)

published = numen.publish(model, name="digits", sample=x_test[:32])

print(published)
